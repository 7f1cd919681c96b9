// The large view: the file itself where it is at hand, its thumbnail otherwise.

const large = {
  dialog: $("large"),
  photo: null,
  hasOriginal: false,
  isZoomed: false,

  open(photo) {
    this.isZoomed = false;
    this.dialog.showModal();
    this.show(photo);
    $("stage").focus();
  },

  // Another photo; a zoom stays at its place, so that the same spot can be compared.
  show(photo) {
    this.photo = photo;
    this.hasOriginal = false;
    const picture = $("picture");
    const source = thumbnail(photo);
    picture.alt = readable(photo.name);
    if (source) picture.src = source;
    else picture.removeAttribute("src");
    this.fit();
    this.describe();
    this.load(photo);
  },

  step(photo) {
    if (photo) this.show(photo);
  },

  async load(photo) {
    const source = await original(photo);
    if (this.photo !== photo) return;
    if (source === null) {
      this.zoom(false);
      return;
    }
    $("picture").src = source;
    this.hasOriginal = true;
    this.fit();
    this.describe();
    const following = grid.neighbour(photo, 1, false);
    if (following) new Image().src = following.href;
  },

  // The size of the file decides, also for the thumbnail, so that nothing jumps when it loads.
  fit() {
    const stage = $("stage");
    const width = this.photo.width ?? 1500;
    const height = this.photo.height ?? 1000;
    stage.classList.toggle("is-zoomed", this.isZoomed);
    const room = [stage.clientWidth - 24, stage.clientHeight - 24];
    const whole = Math.min(1, room[0] / width, room[1] / height);
    const scale = this.isZoomed ? 1 / devicePixelRatio : whole;
    Object.assign($("picture").style, { width: `${width * scale}px`, height: `${height * scale}px` });
    $("zoom").hidden = !this.hasOriginal || Math.abs(whole - 1 / devicePixelRatio) < 0.001;
    $("zoom").setAttribute("aria-pressed", this.isZoomed);
    stage.classList.toggle("can-zoom", !$("zoom").hidden);
  },

  // One pixel of the photo on one of the screen, around a point of the picture; or all of it.
  zoom(isZoomed, event = null) {
    const stage = $("stage");
    const box = $("picture").getBoundingClientRect();
    const across = event ? (event.clientX - box.left) / box.width : 0.5;
    const down = event ? (event.clientY - box.top) / box.height : 0.5;
    this.isZoomed = isZoomed;
    this.fit();
    stage.scrollLeft = across * stage.scrollWidth - stage.clientWidth / 2;
    stage.scrollTop = down * stage.scrollHeight - stage.clientHeight / 2;
  },

  toggleZoom(event = null) {
    if (!$("zoom").hidden) this.zoom(!this.isZoomed, event);
  },

  describe() {
    const { photo } = this;
    const position = grid.indices.get(photo) ?? -1;
    const certainty = photo.probability === undefined ? "" : ` ${inPercent(photo.probability * 1000)}`;
    const facts = [
      flawInView() < 0 ? flawOf(photo) && flawOf(photo) + certainty : flawWords(photo),
      photo.burst !== undefined && `of a ${kindOf(photo)}`,
      photo.width && `${photo.width} × ${photo.height}`,
      photo.source && photo.source !== "photo" && readable(photo.source),
      `rank ${photo.rank.toLocaleString()}`,
      position >= 0 && `${(position + 1).toLocaleString()} of ${grid.shown.length.toLocaleString()} shown`,
      this.hasOriginal ? "" : "thumbnail",
    ];
    $("large-score").textContent = photo.score.toFixed(1);
    $("large-path").textContent = readable(photo.path) + (photo.companion ? ` + ${suffixOf(photo.companion)}` : "");
    $("large-note").textContent = readable(photo.note ?? "");
    $("large-compare").hidden = framesOf(photo).length < 2;
    showStarButtons("large-stars", stars.of(photo));
    $("large-more").textContent = facts.filter(Boolean).join("  ·  ");
    $("original").href = photo.href;
    $("previous").disabled = position <= 0;
    $("next").disabled = position < 0 || position === grid.shown.length - 1;
    $("large-pick").setAttribute("aria-pressed", picks.has(photo));
    $("large-pick").textContent = picks.has(photo) ? "Picked" : "Pick";
  },
};
