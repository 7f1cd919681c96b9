// The grid: only the rows near the window exist as elements.

const MARGIN = 500; // pixels above and below the window that are kept ready

const grid = {
  root: $("grid"),
  items: [],
  shown: [], // photos in the grid, in order
  rows: [],
  cells: new Map(), // key to element
  rowOf: new Map(), // photo to index of its row
  indices: new Map(), // photo to its index among those shown
  current: null, // the photo that has or gets the focus

  show(items) {
    const hadFocus = this.root.contains(document.activeElement);
    const before = this.shown;
    this.items = items;
    this.shown = items.filter((item) => item.photo).map((item) => item.photo);
    this.indices = new Map(this.shown.map((photo, index) => [photo, index]));
    this.current = this.successor(before);
    this.arrange();
    if (hadFocus && this.current) this.focus(this.current, { isScrolling: false });
  },

  // Where the focus goes when its photo may be gone: the burst it is stacked in, or a neighbour.
  successor(before) {
    const present = new Set(this.shown);
    const { current } = this;
    if (present.has(current)) return current;
    const stack = this.shown.find((photo) => photo.burst !== undefined && photo.burst === current?.burst);
    const index = Math.max(0, before.indexOf(current));
    const near = [...before.slice(index), ...before.slice(0, index).reverse()];
    return stack ?? near.find((photo) => present.has(photo)) ?? this.shown[0] ?? null;
  },

  arrange() {
    const { rows, height } = arrange(this.items, this.root.clientWidth, Number($("size").value));
    this.rows = rows;
    this.rowOf.clear();
    rows.forEach((row, number) => {
      for (const { item } of row.cells) if (item.photo) this.rowOf.set(item.photo, number);
    });
    this.root.style.height = `${height}px`;
    this.render();
  },

  // Make the elements of the rows near the window, put them in order, drop the others.
  render() {
    const top = -this.root.getBoundingClientRect().top;
    const [first, last] = rowsBetween(this.rows, top - MARGIN, top + innerHeight + MARGIN);
    const numbers = new Set();
    for (let number = first; number < last; number += 1) numbers.add(number);
    if (this.rowOf.has(this.current)) numbers.add(this.rowOf.get(this.current));
    const wanted = [];
    for (const number of [...numbers].sort((a, b) => a - b)) {
      const row = this.rows[number];
      for (const cell of row.cells) wanted.push([keyOf(cell.item), cell, row]);
    }
    const keys = new Set(wanted.map(([key]) => key));
    for (const [key, node] of this.cells) {
      if (keys.has(key)) continue;
      node.remove();
      this.cells.delete(key);
    }
    let next = null;
    for (const [key, cell, row] of wanted.reverse()) {
      const node = this.cells.get(key) ?? makeCell(cell.item);
      this.cells.set(key, node);
      if (node.nextSibling !== next || node.parentNode !== this.root) this.root.insertBefore(node, next);
      place(node, cell, row);
      if (cell.item.photo) {
        dress(node, cell.item);
        node.setAttribute("aria-posinset", this.indices.get(cell.item.photo) + 1);
        node.setAttribute("aria-setsize", this.shown.length);
      }
      next = node;
    }
  },

  focus(photo, { isScrolling = true } = {}) {
    this.current = photo;
    this.render();
    const row = this.rows[this.rowOf.get(photo)];
    if (isScrolling && row) {
      const top = this.root.getBoundingClientRect().top + row.top;
      if (top < clearance()) scrollBy(0, top - clearance());
      else if (top + row.height > innerHeight - 70) scrollBy(0, top + row.height - innerHeight + 70);
      this.render();
    }
    this.cells.get(keyOf({ photo }))?.querySelector(".photo").focus({ preventScroll: true });
  },

  // The photo one step away, -1 or 1; by rows the one nearest above or below.
  neighbour(photo, step, isByRow) {
    if (!isByRow) return this.shown[this.indices.get(photo) + step];
    let number = this.rowOf.get(photo);
    const middle = (cell) => cell.left + cell.width / 2;
    const from = middle(this.rows[number].cells.find((cell) => cell.item.photo === photo));
    do number += step;
    while (this.rows[number]?.cells[0].item.heading !== undefined);
    const cells = this.rows[number]?.cells ?? [];
    return [...cells].sort((a, b) => Math.abs(middle(a) - from) - Math.abs(middle(b) - from))[0]?.item.photo;
  },
};

// Pixels at the top of the window that the bar covers.
const clearance = () => ($("bar").offsetHeight ?? 0) + 8;

const keyOf = (item) => (item.photo ? item.photo.index : `heading ${item.heading}`);

function makeCell(item) {
  if (item.heading !== undefined) {
    return element("li", { className: "heading", textContent: readable(fromRoot(item.heading) || item.heading || "here") });
  }
  const { photo } = item;
  const opener = element("button", { className: "photo", title: readable(photo.path) });
  opener.dataset.index = photo.index;
  const pick = element("button", { className: "pick", tabIndex: -1, textContent: "✓" });
  pick.setAttribute("aria-label", "Pick");
  const stack = element("button", { className: "stack", tabIndex: -1 });
  const first = element(
    "div",
    {},
    element("strong", { textContent: photo.score.toFixed(1) }),
    element("span", { className: "given" }),
    element("span", { className: "flaw" }),
  );
  const folder = readable(fromRoot(photo.folder));
  const second = element(
    "div",
    { className: "path" },
    element("span", { className: "folder", textContent: folder && folder + data.separator }),
    element("span", { className: "name", textContent: readable(photo.name) }),
  );
  const caption = element("div", { className: "caption" }, first, second);
  const badges = element("div", { className: "badges" });
  if (photo.companion) badges.append(element("span", { textContent: `+ ${suffixOf(photo.companion)}`, title: readable(photo.companion) }));
  if (photo.note) badges.append(element("span", { className: "note", textContent: readable(photo.note).split(":")[0], title: readable(photo.note) }));
  const node = element("li", { className: "cell" }, opener, pick, stack, caption, badges);
  node.dataset.index = photo.index;
  return node;
}

const suffixOf = (path) => readable(path.slice(path.lastIndexOf(".") + 1)).toUpperCase();

// Bursts are the usual case; brackets and panoramas say what they are.
const kindOf = (photo) => (photo.kind === undefined ? "burst" : readable(photo.kind));

const inPercent = (thousandths) => `${Math.round(thousandths / 10)} %`;

// The flaw a photo is looked at for, with its probability, or else its own.
function flawWords(photo) {
  const flaw = flawInView();
  const chance = chanceOf(photo, flaw, null);
  return chance === null ? flawOf(photo) : `${readable(data.flaws[flaw])} ${inPercent(chance)}`;
}

const flawOf = (photo) => (photo.flaw === undefined || photo.flaw === "none" ? "" : readable(photo.flaw));

// A frame of a bracket or panorama on its own, which says what it is of.
const isLoose = (photo, members) => members < 2 && photo.burst !== undefined && kindOf(photo) !== "burst";

function place(node, { left, width }, { top, height }) {
  Object.assign(node.style, {
    left: `${left}px`,
    top: `${top}px`,
    width: `${width}px`,
    height: `${height}px`,
  });
}

// What may change while a cell lives: its thumbnail, its pick, its burst.
function dress(node, { photo, members, isOpen }) {
  const [opener, pick, stack, caption] = node.children;
  const isPicked = picks.has(photo);
  const number = stars.of(photo);
  const [, given, flaw] = caption.firstChild.children;
  if (!opener.firstChild) {
    const source = thumbnail(photo);
    if (source) {
      const image = element("img", { alt: "", decoding: "async", draggable: false });
      image.src = source;
      opener.append(image);
    } else if (source === null) {
      opener.append(element("span", { className: "missing", textContent: "no thumbnail" }));
    }
  }
  given.textContent = stars.symbols(number);
  given.classList.toggle("is-new", stars.isGiven(photo));
  flaw.textContent = flawWords(photo);
  node.classList.toggle("rejected", number < 0);
  node.classList.toggle("picked", isPicked);
  node.classList.toggle("member", isOpen);
  opener.tabIndex = photo === grid.current ? 0 : -1;
  const words = [
    photo.name,
    `score ${photo.score.toFixed(1)}`,
    number === 0 ? "" : stars.words(number),
    flawWords(photo),
    isPicked ? "picked" : "",
    photo.companion && `with ${photo.companion}`,
    photo.note,
  ];
  opener.setAttribute("aria-label", readable(words.filter(Boolean).join(", ")));
  pick.setAttribute("aria-pressed", isPicked);
  stack.hidden = members < 2 && !isLoose(photo, members);
  stack.disabled = members < 2;
  if (members > 1) {
    const kind = kindOf(photo);
    stack.textContent = `${members} ${kind === "burst" ? "" : `${kind} `}${isOpen ? "−" : "+"}`;
    stack.title = isOpen ? `Close this ${kind}` : `Show all ${members} of this ${kind}`;
    stack.setAttribute("aria-label", stack.title);
    stack.setAttribute("aria-expanded", isOpen);
  } else if (!stack.hidden) {
    stack.textContent = kindOf(photo);
  }
}
