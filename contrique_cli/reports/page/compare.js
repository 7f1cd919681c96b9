// The frames of a burst or bracket side by side; all of them zoom and move as one.

const MOST_FRAMES = [[1100, 6], [700, 4], [0, 2]]; // from so many pixels of width, so many at once
const ZOOM_STEP = 1.5;
const CLOSEST = 4; // pixels of the screen for one of the photo, along each side
const FRAME_CAPTION = 28; // pixels below each

// The group that a photo belongs to, by path, whatever the filters show of it.
const framesOf = (photo) =>
  photo.burst === undefined ? [photo] : photos.filter((other) => other.burst === photo.burst).sort(byPath);

const clamp = (number, low, high) => Math.min(Math.max(number, low), high);

const compare = {
  dialog: $("compare"),
  list: $("frames"),
  frames: [],
  first: 0, // of those that fit
  current: 0,
  columns: 1,
  cells: new Map(), // photo to {node, view, image, isOriginal: true, false or, while loading, undefined}
  factor: 1, // 1 shows the whole photo
  across: 0.5, // the point in the middle of each frame, as a share of the photo
  down: 0.5,

  get photo() {
    return this.frames[this.current];
  },

  open(photo) {
    const frames = framesOf(photo);
    if (frames.length < 2) {
      toast("This photo belongs to no burst.");
      return;
    }
    Object.assign(this, { frames, first: 0, current: frames.indexOf(photo), factor: 1, across: 0.5, down: 0.5 });
    this.dialog.showModal();
    this.show();
  },

  // The frames that fit around the current one, and the focus on it.
  show() {
    const most = MOST_FRAMES.find(([width]) => innerWidth >= width)[1];
    const count = Math.min(this.frames.length, most);
    this.first = clamp(this.first, this.current - count + 1, this.current);
    this.first = clamp(this.first, 0, this.frames.length - count);
    const shown = this.frames.slice(this.first, this.first + count);
    for (const [photo, cell] of this.cells) {
      if (shown.includes(photo)) continue;
      cell.node.remove();
      this.cells.delete(photo);
    }
    shown.forEach((photo, index) => {
      if (!this.cells.has(photo)) this.cells.set(photo, makeFrame(photo));
      const { node } = this.cells.get(photo);
      if (this.list.children[index] !== node) this.list.insertBefore(node, this.list.children[index] ?? null);
    });
    this.columns = this.bestColumns(shown);
    this.list.style.gridTemplateColumns = `repeat(${this.columns}, minmax(0, 1fr))`;
    this.describe();
    this.place();
    this.cells.get(this.photo).node.focus({ preventScroll: true });
    this.load();
  },

  // As many side by side as show them largest.
  bestColumns(shown) {
    const { clientWidth: width, clientHeight: height } = this.list;
    const aspect = shown[0].aspect;
    const sizeIn = (columns) => {
      const rows = Math.ceil(shown.length / columns);
      return Math.min(width / columns, (height / rows - FRAME_CAPTION) * aspect);
    };
    return shown.map((_, index) => index + 1).reduce((best, one) => (sizeIn(one) > sizeIn(best) + 1 ? one : best), 1);
  },

  // The files themselves, that in focus first, one after the other.
  async load() {
    const waiting = [this.photo, ...this.cells.keys()];
    for (const photo of waiting) {
      const cell = this.cells.get(photo);
      if (!cell || cell.isLoading) continue;
      cell.isLoading = true;
      const source = await original(photo);
      cell.isOriginal = source !== null;
      if (source !== null) cell.image.src = source;
      if (this.dialog.open) this.describe();
    }
  },

  // Pixels of a photo as a whole in its frame, and as it is now.
  sizes(photo) {
    const { view } = this.cells.get(photo);
    const [width, height] = [photo.width ?? 1500, photo.height ?? 1000];
    const room = [view.clientWidth, view.clientHeight];
    const whole = Math.min(1, room[0] / width, room[1] / height);
    return { room, whole, size: [width * whole * this.factor, height * whole * this.factor] };
  },

  place() {
    for (const [photo, { view, image }] of this.cells) {
      const { room, size } = this.sizes(photo);
      const middle = [this.across, this.down];
      const [left, top] = room.map((pixels, side) =>
        size[side] <= pixels ? (pixels - size[side]) / 2 : clamp(pixels / 2 - middle[side] * size[side], pixels - size[side], 0),
      );
      Object.assign(image.style, { width: `${size[0]}px`, height: `${size[1]}px`, left: `${left}px`, top: `${top}px` });
      view.classList.toggle("is-zoomed", this.factor > 1);
    }
    const { whole } = this.sizes(this.photo);
    $("compare-zoom").textContent = `${Math.round(whole * this.factor * devicePixelRatio * 100)} %`;
    $("compare-zoom").setAttribute("aria-pressed", this.factor > 1);
  },

  // The factor that shows one pixel of the photo on one of the screen.
  get pixelFactor() {
    return Math.max(1, 1 / (this.sizes(this.photo).whole * devicePixelRatio));
  },

  // Closer or further, around a point of a frame: {photo, x, y} in pixels from its corner.
  zoom(factor, around = null) {
    const photo = around?.photo ?? this.photo;
    const before = this.sizes(photo);
    const point = around ? [around.x, around.y] : before.room.map((pixels) => pixels / 2);
    const middle = [this.across, this.down];
    const held = point.map((pixels, side) => middle[side] + (pixels - before.room[side] / 2) / before.size[side]);
    this.factor = clamp(factor, 1, Math.max(2, this.pixelFactor * CLOSEST));
    const after = this.sizes(photo);
    this.look(held.map((share, side) => share - (point[side] - after.room[side] / 2) / after.size[side]));
  },

  toggleZoom(around = null) {
    const closer = this.pixelFactor > 1.05 ? this.pixelFactor : 2; // a small photo is whole at 100 %
    this.zoom(this.factor > 1 ? 1 : closer, around);
  },

  // Move all of them by pixels.
  pan(across, down) {
    const { size } = this.sizes(this.photo);
    this.look([this.across - across / size[0], this.down - down / size[1]]);
  },

  look(middle) {
    const { room, size } = this.sizes(this.photo);
    const [across, down] = middle.map((share, side) => {
      const half = Math.min(0.5, room[side] / size[side] / 2);
      return clamp(share, half, 1 - half);
    });
    Object.assign(this, { across, down });
    this.place();
  },

  go(index) {
    this.current = clamp(index, 0, this.frames.length - 1);
    this.show();
  },

  describe() {
    for (const [photo, cell] of this.cells) dressFrame(cell, photo, this);
    const { photo } = this;
    $("compare-words").textContent = `${this.current + 1} of ${this.frames.length}, ${kindOf(photo)}`;
    showStarButtons("compare-stars", stars.of(photo));
    $("compare-pick").setAttribute("aria-pressed", picks.has(photo));
    $("compare-pick").textContent = picks.has(photo) ? "Picked" : "Pick";
  },

  forget() {
    for (const { node } of this.cells.values()) node.remove();
    this.cells.clear();
  },
};

function makeFrame(photo) {
  const image = element("img", { alt: "", draggable: false });
  const source = thumbnail(photo);
  if (source) image.src = source;
  const view = element("div", { className: "view" }, image);
  const caption = element("div", { className: "frame-caption" });
  const node = element("li", { className: "frame", tabIndex: -1 }, view, caption);
  node.dataset.index = photo.index;
  return { node, view, image, caption };
}

function dressFrame({ node, caption, isOriginal }, photo, { photo: current }) {
  const number = stars.of(photo);
  const isCurrent = photo === current;
  node.classList.toggle("is-current", isCurrent);
  node.classList.toggle("rejected", number < 0);
  node.classList.toggle("picked", picks.has(photo));
  if (isCurrent) node.setAttribute("aria-current", "true");
  else node.removeAttribute("aria-current");
  const facts = [
    ["strong", "", photo.score.toFixed(1)],
    ["span", "given is-new", stars.symbols(number)],
    ["span", "", picks.has(photo) ? "✓" : ""],
    ["span", "note", photo.note ? readable(photo.note).split(":")[0] : ""],
    ["span", "dim", isOriginal === false ? "thumbnail" : ""],
    ["span", "flaw", flawWords(photo)],
    ["span", "name", readable(photo.name)],
  ];
  caption.replaceChildren(
    ...facts.filter(([, , text]) => text).map(([tag, className, textContent]) => element(tag, { className, textContent })),
  );
  const words = [photo.name, `score ${photo.score.toFixed(1)}`, stars.words(number), flawWords(photo), picks.has(photo) ? "picked" : "", photo.note];
  node.setAttribute("aria-label", readable(words.filter(Boolean).join(", ")));
}

function connectCompare() {
  makeStarButtons("compare-stars", () => compare.photo);
  $("compare-pick").addEventListener("click", () => togglePick(compare.photo));
  $("zoom-out").addEventListener("click", () => compare.zoom(compare.factor / ZOOM_STEP));
  $("zoom-in").addEventListener("click", () => compare.zoom(compare.factor * ZOOM_STEP));
  $("compare-zoom").addEventListener("click", () => compare.toggleZoom());
  $("compare-close").addEventListener("click", () => compare.dialog.close());
  addEventListener("resize", () => {
    if (compare.dialog.open) compare.show();
  });
  compare.dialog.addEventListener("close", () => {
    const { photo } = compare;
    compare.forget();
    if (large.dialog.open) {
      large.show(photo);
      $("stage").focus();
    } else {
      backToGrid(photo);
    }
  });
  connectFrames();
}

// A first click chooses a frame, a second zooms; a drag moves, two fingers or a wheel zoom, and a
// swipe leads to the next.
function connectFrames() {
  const pointers = new Map();
  let start = null;
  const pointOf = (event) => {
    const node = event.target.closest(".frame");
    const box = node?.firstChild.getBoundingClientRect();
    return node && { photo: photos[node.dataset.index], x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const apart = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  compare.list.addEventListener("dragstart", (event) => event.preventDefault());
  compare.list.addEventListener("pointerdown", (event) => {
    if (!event.target.closest(".view")) return;
    pointers.set(event.pointerId, event);
    start = pointers.size === 1 ? { event, wasCurrent: pointOf(event).photo === compare.photo } : null;
  });
  compare.list.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const distance = pointers.size === 2 ? apart([...pointers.values()]) : 0;
    pointers.set(event.pointerId, event);
    if (distance) compare.zoom((compare.factor * apart([...pointers.values()])) / distance, pointOf(event));
    else if (compare.factor > 1) compare.pan(event.clientX - before.clientX, event.clientY - before.clientY);
  });
  addEventListener("pointerup", (event) => {
    if (!pointers.delete(event.pointerId) || !start || pointers.size > 0) return;
    const [across, down] = [event.clientX - start.event.clientX, event.clientY - start.event.clientY];
    const point = pointOf(start.event);
    if (Math.hypot(across, down) < 8) {
      if (start.wasCurrent) compare.toggleZoom(point);
      else compare.go(compare.frames.indexOf(point.photo));
    } else if (event.pointerType === "touch" && compare.factor === 1 && Math.abs(across) > 60) {
      compare.go(compare.current + (across < 0 ? 1 : -1));
    }
  });
  addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
  compare.list.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const point = pointOf(event);
      if (point) compare.zoom(compare.factor * (event.deltaY < 0 ? 1.25 : 0.8), point);
    },
    { passive: false },
  );
}
