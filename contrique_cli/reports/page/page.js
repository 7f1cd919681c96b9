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
  state.folder !== null || state.flaw !== null;

function showPicks() {
  $("tray").hidden = picks.size === 0;
  $("picked").textContent = `${picks.size.toLocaleString()} picked`;
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
  [null, ...values].forEach((value, place) => {
    const button = list.children[place].firstChild;
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

function afterPicks() {
  if (state.pickedOnly && !large.dialog.open) update();
  grid.render();
  showPicks();
  showCounts();
  if (large.dialog.open) large.describe();
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
    for (const [id, value] of [["low", 0], ["high", 100], ["find", ""]]) $(id).value = value;
    $("picked-only").checked = false;
    update();
  });
  $("show-panel").addEventListener("click", () => {
    const isShown = document.body.classList.toggle("shows-panel");
    $("show-panel").setAttribute("aria-expanded", isShown);
    grid.arrange();
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
  addEventListener("beforeunload", (event) => {
    if (!memory.works && picks.size > 0) event.preventDefault(); // they would be lost
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
  $("large-pick").addEventListener("click", () => togglePick(large.photo));
  $("zoom").addEventListener("click", () => large.toggleZoom());
  $("close").addEventListener("click", () => large.dialog.close());
  connectStage(move);
  addEventListener("resize", () => {
    if (large.dialog.open) large.fit();
  });
  large.dialog.addEventListener("close", () => {
    const { photo } = large;
    if (state.pickedOnly) update();
    grid.focus(grid.shown.includes(photo) ? photo : grid.current);
  });
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

// ----------------------------------------------------------------------------------- keys

const STEPS = { ArrowLeft: [-1, false], ArrowRight: [1, false], ArrowUp: [-1, true], ArrowDown: [1, true] };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  const isInLarge = large.dialog.open;
  const isInField = event.target.matches("input, select, textarea");
  if (isInField && !(event.key === "Escape" && event.target === $("find"))) return;
  const photo = isInLarge ? large.photo : grid.current;
  const isOnPhoto = isInLarge || event.target.closest("#grid") || event.target === document.body;
  if (act(event, photo, isInLarge, isOnPhoto)) event.preventDefault();
}

// Whether the key meant something here.
function act(event, photo, isInLarge, isOnPhoto) {
  const isOnButton = event.target.closest("button, a") && !event.target.closest(".photo");
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "Escape" && event.target === $("find")) $("find").blur();
  else if (key === "/" && !isInLarge) openFind();
  else if (key === "?" && !isInLarge) $("keys").showModal();
  else if (!photo || !isOnPhoto) return false;
  else if (key in STEPS) go(photo, ...STEPS[key], isInLarge);
  else if (key === "Home" || key === "End") goTo(grid.shown.at(key === "Home" ? 0 : -1), isInLarge);
  else if (key === "p" || (key === " " && !isOnButton)) togglePick(photo);
  else if (key === "b" && !isInLarge) toggleBurst(photo);
  else if (key === "z" && isInLarge) large.toggleZoom();
  else if (key === "Enter" && isInLarge && !isOnButton) large.dialog.close();
  else return false;
  return true;
}

function go(photo, step, isByRow, isInLarge) {
  if (isInLarge) large.step(grid.neighbour(photo, step, false));
  else if (!grid.root.contains(document.activeElement)) grid.focus(photo);
  else goTo(grid.neighbour(photo, step, isByRow) ?? photo, false);
}

function goTo(photo, isInLarge) {
  if (isInLarge) large.step(photo);
  else grid.focus(photo);
}

function openFind() {
  if (!$("panel").checkVisibility?.()) $("show-panel").click();
  $("find").focus();
  $("find").select();
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
  $("sort").append(...chances.map((flaw) => new Option(`Most ${readable(flaw)}`, `flaw ${flaw}`)));
  $("sort").value = state.sort;
  $("size").value = memory.get("size") ?? (innerWidth < 700 ? 130 : 190);
  $("stack-field").hidden = !photos.some((photo) => photo.burst !== undefined);
  $("flaw-section").hidden = flaws.length === 0;
  $("folder-section").hidden = folders.length === 0;
  $("folder-section").classList.toggle("is-long", folders.length > 6);
  $("show-keys").addEventListener("click", () => $("keys").showModal());
  connectTheme();
  connectFilters();
  connectPicks();
  connectGrid();
  connectLarge();
  document.addEventListener("keydown", onKey);
  showFailed();
  update();
}

start();
