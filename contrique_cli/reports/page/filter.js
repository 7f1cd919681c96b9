// Which photos are shown, in which order, and how many there would be otherwise.

const state = {
  low: 0,
  high: 100,
  terms: [],
  folder: null,
  flaw: null,
  chanceOf: null, // index of a flaw in data.flaws
  least: 50, // per cent
  stars: "all",
  pickedOnly: false,
  sort: "best",
  isStacked: true,
  open: new Set(), // bursts that are spread out
};

// Thousandths of a flaw's probability; `otherwise` where it is not known.
const chanceOf = (photo, flaw, otherwise) => photo.chances?.[flaw] ?? otherwise;

// Of stars as people give them: what each choice lets through.
const starTests = {
  all: () => true,
  unrated: (number) => number === 0,
  rated: (number) => number !== 0,
  rejected: (number) => number < 0,
  kept: (number) => number >= 0,
};
for (let least = 1; least <= MOST_STARS; least += 1) starTests[least] = (number) => number >= least;

const tests = {
  score: (photo) => photo.score >= state.low && photo.score <= state.high,
  name: (photo) => state.terms.every((term) => photo.searchable.includes(term)),
  folder: (photo) => state.folder === null || isWithin(photo.folder, state.folder),
  flaw: (photo) => state.flaw === null || photo.flaw === state.flaw,
  chance: (photo) => state.chanceOf === null || chanceOf(photo, state.chanceOf, -1) >= state.least * 10,
  stars: (photo) => starTests[state.stars](stars.of(photo)),
  picked: (photo) => !state.pickedOnly || picks.has(photo),
};

// Photos that pass all tests, and for each test those that pass all the others.
function sift() {
  const names = Object.keys(tests);
  const passed = [];
  const but = Object.fromEntries(names.map((name) => [name, []]));
  for (const photo of photos) {
    const failed = names.filter((name) => !tests[name](photo));
    if (failed.length === 0) {
      passed.push(photo);
      for (const name of names) but[name].push(photo);
    } else if (failed.length === 1) {
      but[failed[0]].push(photo);
    }
  }
  return { passed, but };
}

const collator = new Intl.Collator(undefined, { numeric: true });
const byPath = (a, b) => collator.compare(a.path, b.path) || a.index - b.index;
const byRank = (a, b) => a.rank - b.rank;
const orders = {
  best: byRank,
  worst: (a, b) => byRank(b, a),
  path: byPath,
  folder: (a, b) => collator.compare(a.folder, b.folder) || byRank(a, b),
};

orders.stars = (a, b) => stars.of(b) - stars.of(a) || byRank(a, b);

// Two orders for each flaw whose probability is known; photos that say nothing of it come last.
data.flaws.forEach((name, flaw) => {
  orders[`flaw ${name}`] = (a, b) => chanceOf(b, flaw, -1) - chanceOf(a, flaw, -1) || byRank(a, b);
  orders[`least ${name}`] = (a, b) => chanceOf(a, flaw, 1001) - chanceOf(b, flaw, 1001) || byRank(a, b);
});

// The flaw that photos are sorted or filtered by; -1 for none.
function flawInView() {
  const sorted = data.flaws.findIndex((name) => state.sort === `flaw ${name}` || state.sort === `least ${name}`);
  return sorted < 0 ? (state.chanceOf ?? -1) : sorted;
}

// Items of the grid: photos, each burst behind its best one unless it is open, and headings.
function itemsOf(passed) {
  const sorted = passed.toSorted ? passed.toSorted(orders[state.sort]) : [...passed].sort(orders[state.sort]);
  const bursts = new Map();
  if (state.isStacked) {
    for (const photo of sorted) {
      if (photo.burst === undefined) continue;
      if (!bursts.has(photo.burst)) bursts.set(photo.burst, []);
      bursts.get(photo.burst).push(photo);
    }
  }
  const items = [];
  let folder = null;
  for (const photo of sorted) {
    const members = bursts.get(photo.burst) ?? [photo];
    const best = members.find((member) => member.best) ?? members.reduce((a, b) => (byRank(a, b) <= 0 ? a : b));
    if (photo !== best) continue; // it follows the best of its burst, if anywhere
    if (state.sort === "folder" && photo.folder !== folder) {
      folder = photo.folder;
      items.push({ heading: folder });
    }
    const isOpen = members.length > 1 && state.open.has(photo.burst);
    items.push({ photo, members: members.length, isOpen });
    if (isOpen) {
      for (const member of members) if (member !== best) items.push({ photo: member, members: 0, isOpen });
    }
  }
  return items;
}

function countBy(list, key) {
  const counts = new Map();
  for (const photo of list) counts.set(photo[key], (counts.get(photo[key]) ?? 0) + 1);
  return counts;
}

// Folders below the root that hold photos or part ways, in order.
const folders = (() => {
  const children = new Map();
  for (const start of new Set(photos.map((photo) => photo.folder))) {
    children.set(start, children.get(start) ?? new Set());
    for (let inner = start; inner !== root; ) {
      const outer = folderOf(inner);
      if (outer === inner) break;
      if (!children.has(outer)) children.set(outer, new Set());
      children.get(outer).add(inner);
      inner = outer;
    }
  }
  const own = new Set(photos.map((photo) => photo.folder));
  return [...children.keys()]
    .filter((folder) => folder !== root && (own.has(folder) || children.get(folder).size > 1))
    .sort(collator.compare);
})();

// For each folder with photos, those of the list above that it lies in or is.
const choicesOf = (() => {
  const listed = new Set(folders);
  const found = new Map();
  for (const folder of new Set(photos.map((photo) => photo.folder))) {
    found.set(folder, []);
    for (let outer = folder; ; outer = folderOf(outer)) {
      if (listed.has(outer)) found.get(folder).push(outer);
      if (outer === root || outer === folderOf(outer)) break;
    }
  }
  return found;
})();

const flaws = [...countBy(photos, "flaw")]
  .filter(([flaw]) => flaw !== undefined)
  .sort((a, b) => (a[0] === "none") - (b[0] === "none") || b[1] - a[1])
  .map(([flaw]) => flaw);
