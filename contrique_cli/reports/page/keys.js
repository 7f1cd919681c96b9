// What the keys do: in the grid, in the large view and side by side.

const STEPS = { ArrowLeft: [-1, false], ArrowRight: [1, false], ArrowUp: [-1, true], ArrowDown: [1, true] };
const MOVES = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80] }; // pixels

const viewOf = () => (compare.dialog.open ? compare : large.dialog.open ? large : grid);

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  const view = viewOf();
  const isInField = event.target.matches("input, select, textarea");
  if (isInField && !(event.key === "Escape" && event.target === $("find"))) return;
  const photo = view === grid ? grid.current : view.photo;
  const isOnPhoto = view !== grid || event.target.closest("#grid") || event.target === document.body;
  if (act(event, photo, view, isOnPhoto)) event.preventDefault();
}

// Whether the key meant something here.
function act(event, photo, view, isOnPhoto) {
  const isOnButton = event.target.closest("button, a") && !event.target.closest(".photo");
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "Escape" && event.target === $("find")) $("find").blur();
  else if (key === "/" && view === grid) openFind();
  else if (key === "?") $("keys").showModal();
  else if (!photo || !isOnPhoto) return false;
  else if (view === compare && actInCompare(key, event)) return true;
  else if (key in STEPS && view !== compare) go(photo, ...STEPS[key], view === large);
  else if ((key === "Home" || key === "End") && view !== compare) goTo(grid.shown.at(key === "Home" ? 0 : -1), view === large);
  else if (key === "p" || (key === " " && !isOnButton)) togglePick(photo);
  else if (starsOf(key, event) !== null) giveStars([photo], starsOf(key, event));
  else if (key === "c" && view !== compare) compare.open(photo);
  else if (key === "b" && view === grid) toggleBurst(photo);
  else if (key === "z" && view === large) large.toggleZoom();
  else if (key === "Enter" && view !== grid && !isOnButton) view.dialog.close();
  else return false;
  return true;
}

function actInCompare(key, event) {
  if (key in MOVES && event.shiftKey) compare.pan(...MOVES[key]);
  else if (key in STEPS) compare.go(compare.current + STEPS[key][0] * (STEPS[key][1] ? compare.columns : 1));
  else if (key === "Home" || key === "End") compare.go(key === "Home" ? 0 : Infinity);
  else if (key === "+" || key === "=") compare.zoom(compare.factor * ZOOM_STEP);
  else if (key === "-") compare.zoom(compare.factor / ZOOM_STEP);
  else if (key === "z") compare.toggleZoom();
  else if (key === "c") compare.dialog.close();
  else return false;
  return true;
}

// The stars that a key gives, also where digits need Shift, as on French keyboards; null for none.
function starsOf(key, event) {
  if (key === "x") return -1;
  if (/^[0-5]$/.test(key)) return Number(key);
  const digit = /^Digit([0-5])$/.exec(event.code ?? "");
  return digit && !event.shiftKey ? Number(digit[1]) : null;
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
