// The page: controls to filters, filters to everything that is shown.

let sifted;
let isUpdatePlanned = false;

// However fast a slider moves, one update per frame.
function planUpdate() {
  if (isUpdatePlanned) return;
  isUpdatePlanned = true;
  requestAnimationFrame(update);
}

function update() {
  isUpdatePlanned = false;
  sifted = sift();
  grid.show(itemsOf(sifted.passed));
  showCounts();
  showHistogram(sifted.but.score);
  showChoices("flaws", flaws, countBy(sifted.but.flaw, "flaw"), "flaw", readable, "All");
  showChoices("folders", folders, countWithin(sifted.but.folder), "folder", nameOfFolder, "All");
  showPicks();
}

function showCounts() {
  const shown = grid.shown.length;
  const inStacks = sifted.passed.length - shown;
  const all = sifted.passed.length === photos.length;
  const count = all ? plural(photos.length, "photo") : `${sifted.passed.length.toLocaleString()} of ${plural(photos.length, "photo")}`;
  $("count").textContent = count + (inStacks ? `, ${inStacks.toLocaleString()} in stacks` : "");
  $("nothing").hidden = shown > 0;
  $("bounds").textContent = `${state.low} – ${state.high}`;
  $("reset").hidden = !isFiltered();
  const isAllPicked = shown > 0 && grid.shown.every((photo) => picks.has(photo));
  $("pick-shown").disabled = shown === 0;
  $("pick-shown").textContent = isAllPicked
    ? `Unpick all ${shown.toLocaleString()} shown`
    : `Pick all ${shown.toLocaleString()} shown`;
}

const isFiltered = () =>
  state.low > 0 || state.high < 100 || state.terms.length > 0 || state.pickedOnly ||
  state.folder !== null || state.flaw !== null || state.stars !== "all" || state.chanceOf !== null;

function showPicks() {
  $("tray").hidden = picks.size + stars.size === 0;
  $("picked-tools").hidden = picks.size === 0;
  $("rated-tools").hidden = stars.size === 0;
  $("picked").textContent = `${picks.size.toLocaleString()} picked`;
  $("rated").textContent = `${stars.size.toLocaleString()} rated`;
  document.body.classList.toggle("has-picks", picks.size > 0);
}

const BINS = 50;

// Scores of the photos that pass all other filters; those within the bounds stand out.
function showHistogram(list) {
  const width = 100 / BINS;
  const heights = new Array(BINS).fill(0);
  for (const photo of list) heights[Math.min(BINS - 1, Math.floor(photo.score / width))] += 1;
  const tallest = Math.max(1, ...heights);
  const bars = heights.map((height, bin) => {
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const scaled = height && Math.max(1, (height / tallest) * 40);
    const isWithin = (bin + 1) * width > state.low && bin * width <= state.high;
    const facts = { x: bin * width + 0.15, y: 40 - scaled, width: width - 0.3, height: scaled };
    for (const [name, value] of Object.entries(facts)) bar.setAttribute(name, value);
    bar.setAttribute("class", isWithin ? "within" : "outside");
    return bar;
  });
  $("histogram").replaceChildren(...bars);
  const median = [...list].sort(byRank)[Math.floor(list.length / 2)]?.score;
  const words = median === undefined ? "no photos" : `median ${median.toFixed(1)}`;
  $("histogram").setAttribute("aria-label", `Scores of ${plural(list.length, "photo")}, ${words}`);
}

function countWithin(list) {
  const sums = new Map();
  for (const [folder, count] of countBy(list, "folder")) {
    for (const outer of choicesOf.get(folder)) sums.set(outer, (sums.get(outer) ?? 0) + count);
  }
  return sums;
}

const nameOfFolder = (folder) => readable(fromRoot(folder) || folder || "here");

// A list of choices with their counts; the buttons stay, so that the focus does.
function showChoices(id, values, counts, key, nameOf, all) {
  const list = $(id);
  if (!list.firstChild) {
    for (const value of [null, ...values]) {
      const button = element(
        "button",
        {},
        element("span", { textContent: value === null ? all : nameOf(value), title: value === null ? "" : readable(value) }),
        element("small"),
      );
      button.addEventListener("click", () => {
        state[key] = state[key] === value ? null : value;
        update();
      });
      list.append(element("li", {}, button));
    }
  }
  [null, ...values].forEach((value, index) => {
    const button = list.children[index].firstChild;
    const count = value === null ? sifted.but[key].length : (counts.get(value) ?? 0);
    const text = count.toLocaleString();
    if (button.lastChild.textContent !== text) button.lastChild.textContent = text;
    const isChosen = String(state[key] === value);
    if (button.getAttribute("aria-pressed") !== isChosen) button.setAttribute("aria-pressed", isChosen);
    button.classList.toggle("is-empty", count === 0);
  });
}

function showFailed() {
  if (data.failed.length === 0) return;
  $("failed").hidden = $("to-failed").hidden = false;
  $("to-failed").textContent = `${data.failed.length.toLocaleString()} without a score`;
  $("to-failed").addEventListener("click", () => {
    $("failed").open = true;
  });
  $("failed").querySelector("summary").textContent = `${plural(data.failed.length, "photo")} without a score`;
  $("failed").querySelector("ul").append(
    ...data.failed.map(({ path, error }) =>
      element("li", {}, element("span", { className: "name", textContent: readable(path) }), element("span", { textContent: readable(error) })),
    ),
  );
}

// ------------------------------------------------------------------------------- controls

function setPicks(some, isPicked, words = null) {
  const before = picks.list();
  picks.set(some, isPicked);
  afterPicks();
  if (words) {
    toast(words, () => {
      picks.replace(before);
      afterPicks();
    });
  }
}

// Whether picks or stars decide what the grid shows, or where.
const isByPicks = () => state.pickedOnly || state.stars !== "all" || state.sort === "stars";

function afterPicks() {
  if (isByPicks() && viewOf() === grid) update();
  grid.render();
  showPicks();
  showCounts();
  if (large.dialog.open) large.describe();
  if (compare.dialog.open) compare.describe();
}

function giveStars(some, number) {
  stars.set(some, number);
  afterPicks();
}

function clearStars() {
  const before = stars.snapshot();
  stars.replace([]);
  afterPicks();
  toast(`Stars of ${plural(before.size, "photo")} cleared.`, () => {
    stars.replace(before);
    afterPicks();
  });
}

// From another view to the photo it showed, or to the stack that it is in.
function backToGrid(photo) {
  grid.current = photo;
  if (isByPicks()) update();
  grid.current = grid.successor(grid.shown);
  if (grid.current) grid.focus(grid.current);
}

const togglePick = (photo) => setPicks([photo], !picks.has(photo));

function toggleBurst(photo) {
  if (photo.burst === undefined || !state.isStacked) return;
  if (!state.open.delete(photo.burst)) state.open.add(photo.burst);
  update();
}

function onInput(id, apply) {
  $(id).addEventListener("input", () => {
    apply($(id));
    planUpdate();
  });
}

function connectFilters() {
  onInput("low", (field) => {
    state.low = Math.min(Number(field.value), state.high);
    field.value = state.low;
  });
  onInput("high", (field) => {
    state.high = Math.max(Number(field.value), state.low);
    field.value = state.high;
  });
  onInput("find", (field) => {
    state.terms = folded(field.value).split(/\s+/).filter(Boolean);
  });
  onInput("sort", (field) => {
    state.sort = field.value;
    scrollTo(0, 0);
  });
  onInput("stars", (field) => {
    state.stars = field.value;
  });
  onInput("picked-only", (field) => {
    state.pickedOnly = field.checked;
  });
  onInput("stack", (field) => {
    state.isStacked = field.checked;
  });
  $("size").addEventListener("input", () => {
    memory.set("size", $("size").value);
    grid.arrange();
  });
  $("reset").addEventListener("click", () => {
    Object.assign(state, { low: 0, high: 100, terms: [], pickedOnly: false, folder: null, flaw: null });
    Object.assign(state, { stars: "all", chanceOf: null });
    for (const [id, value] of [["low", 0], ["high", 100], ["find", ""], ["stars", "all"], ["chance-of", ""]]) $(id).value = value;
    $("picked-only").checked = false;
    $("chance").disabled = $("sort-by-chance").disabled = true;
    update();
  });
  $("show-panel").addEventListener("click", () => {
    const isShown = document.body.classList.toggle("shows-panel");
    $("show-panel").setAttribute("aria-expanded", isShown);
    grid.arrange();
  });
}

// One flaw, its least probability, and the order by it.
function connectChances() {
  $("chance-field").hidden = data.flaws.length === 0;
  $("chance-of").append(...data.flaws.map((flaw, index) => new Option(readable(flaw), index)));
  onInput("chance-of", (field) => {
    state.chanceOf = field.value === "" ? null : Number(field.value);
    $("chance").disabled = $("sort-by-chance").disabled = state.chanceOf === null;
  });
  onInput("chance", (field) => {
    state.least = Number(field.value);
    $("least").textContent = `${state.least} %`;
  });
  $("sort-by-chance").addEventListener("click", () => {
    $("sort").value = state.sort = `flaw ${data.flaws[state.chanceOf]}`;
    scrollTo(0, 0);
    update();
  });
}

function connectPicks() {
  $("pick-shown").addEventListener("click", () => {
    const isPicked = !grid.shown.every((photo) => picks.has(photo));
    setPicks(grid.shown, isPicked, `${plural(grid.shown.length, "photo")} ${isPicked ? "picked" : "unpicked"}.`);
  });
  $("copy").addEventListener("click", copyPaths);
  $("download").addEventListener("click", () => download("\n", "picks.txt"));
  $("download-nul").addEventListener("click", () => download("\0", "picks-nul.txt"));
  $("clear").addEventListener("click", () => setPicks(picks.list(), false, `${plural(picks.size, "pick")} cleared.`));
  $("download-stars").addEventListener("click", downloadStars);
  $("clear-stars").addEventListener("click", clearStars);
  addEventListener("beforeunload", (event) => {
    if (!memory.works && picks.size + stars.size > 0) event.preventDefault(); // they would be lost
  });
}

function connectGrid() {
  grid.root.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const photo = photos[cell.dataset.index];
    grid.current = photo;
    if (event.target.closest(".pick")) togglePick(photo);
    else if (event.target.closest(".stack")) toggleBurst(photo);
    else if (event.target.closest(".photo")) large.open(photo);
  });
  grid.root.addEventListener("focusin", (event) => {
    const cell = event.target.closest(".cell");
    if (cell) grid.current = photos[cell.dataset.index];
  });
  grid.root.addEventListener("keyup", (event) => {
    if (event.key === " " && event.target.closest(".photo")) event.preventDefault(); // no click
  });
  let isPlanned = false;
  const plan = () => {
    if (isPlanned) return;
    isPlanned = true;
    requestAnimationFrame(() => {
      isPlanned = false;
      grid.render();
    });
  };
  addEventListener("scroll", plan, { passive: true });
  document.addEventListener("DOMContentLoaded", () => grid.render());
  let width = 0;
  new ResizeObserver(() => {
    if (grid.root.clientWidth !== width) grid.arrange();
    width = grid.root.clientWidth;
  }).observe(grid.root.parentElement);
  addEventListener("resize", plan);
  const loading = setInterval(() => {
    plan(); // thumbnails that have arrived meanwhile
    if (document.readyState !== "loading") clearInterval(loading);
  }, 150);
}

function connectLarge() {
  const move = (step) => large.step(grid.neighbour(large.photo, step, false));
  $("previous").addEventListener("click", () => move(-1));
  $("next").addEventListener("click", () => move(1));
  makeStarButtons("large-stars", () => large.photo);
  $("large-pick").addEventListener("click", () => togglePick(large.photo));
  $("large-compare").addEventListener("click", () => compare.open(large.photo));
  $("zoom").addEventListener("click", () => large.toggleZoom());
  $("close").addEventListener("click", () => large.dialog.close());
  connectStage(move);
  addEventListener("resize", () => {
    if (large.dialog.open) large.fit();
  });
  large.dialog.addEventListener("close", () => backToGrid(large.photo));
}

// A click zooms, a drag moves the zoomed photo, a swipe leads to the next.
function connectStage(move) {
  const stage = $("stage");
  let start = null;
  const distance = (event) => Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY);
  stage.addEventListener("dragstart", (event) => event.preventDefault());
  stage.addEventListener("pointerdown", (event) => {
    start = event;
  });
  stage.addEventListener("pointermove", (event) => {
    const isDrag = start && event.buttons === 1 && event.pointerType === "mouse" && large.isZoomed;
    if (isDrag) stage.scrollBy(-event.movementX, -event.movementY);
  });
  stage.addEventListener("click", (event) => {
    if (event.target === $("picture") && (!start || distance(event) < 8)) large.toggleZoom(event);
  });
  stage.addEventListener("pointerup", (event) => {
    const across = start ? event.clientX - start.clientX : 0;
    if (event.pointerType === "touch" && !large.isZoomed && Math.abs(across) > 60) move(across < 0 ? 1 : -1);
  });
}

// ---------------------------------------------------------------------------------- start

function connectTheme() {
  const apply = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
  };
  apply(memory.get("theme"));
  $("theme").addEventListener("click", () => {
    const isDark = getComputedStyle(document.documentElement).getPropertyValue("--is-dark").trim() === "1";
    apply(isDark ? "light" : "dark");
    memory.set("theme", isDark ? "light" : "dark");
  });
}

function start() {
  document.title = `${plural(photos.length, "photo")} by score`;
  const isWorstFirst = photos.length > 1 && photos[0].rank > photos.at(-1).rank;
  state.sort = isWorstFirst ? "worst" : "best";
  $("sort").append(new Option("Most stars", "stars"));
  $("sort").append(...data.flaws.map((flaw) => new Option(`Most ${readable(flaw)}`, `flaw ${flaw}`)));
  $("sort").append(...data.flaws.map((flaw) => new Option(`Least ${readable(flaw)}`, `least ${flaw}`)));
  for (let least = 1; least <= MOST_STARS; least += 1) $("stars").append(new Option(least < MOST_STARS ? `${"★".repeat(least)} and more` : "★★★★★", least));
  $("sort").value = state.sort;
  $("size").value = memory.get("size") ?? (innerWidth < 700 ? 130 : 190);
  $("stack-field").hidden = !photos.some((photo) => photo.burst !== undefined);
  const kinds = [...new Set(photos.filter((photo) => photo.burst !== undefined).map(kindOf))];
  $("stack-words").textContent = `Stack ${kinds.map((kind) => `${kind}s`).sort().join(", ") || "bursts"}`;
  $("flaw-section").hidden = flaws.length + data.flaws.length === 0;
  $("folder-section").hidden = folders.length === 0;
  $("folder-section").classList.toggle("is-long", folders.length > 6);
  $("show-keys").addEventListener("click", () => $("keys").showModal());
  connectTheme();
  connectFilters();
  connectPicks();
  connectGrid();
  connectLarge();
  connectCompare();
  connectChances();
  document.addEventListener("keydown", onKey);
  showFailed();
  update();
}

start();
