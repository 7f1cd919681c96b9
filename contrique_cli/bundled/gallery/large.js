// The large view: the file itself where it is at hand, its thumbnail otherwise.

const large = {
  dialog: $("large"),
  photo: null,
  hasOriginal: false,

  open(photo) {
    this.show(photo);
    if (!this.dialog.open) this.dialog.showModal();
    $("stage").focus();
  },

  show(photo) {
    this.photo = photo;
    this.hasOriginal = false;
    this.setZoom(false);
    const picture = $("picture");
    const source = thumbnail(photo);
    picture.alt = readable(photo.name);
    picture.classList.toggle("is-thumbnail", true);
    if (source) picture.src = source;
    else picture.removeAttribute("src");
    // On purpose before anything is loaded: the photo takes its place once and does not jump.
    picture.width = photo.width ?? 1500;
    picture.height = photo.height ?? 1000;
    this.describe();
    this.load(photo);
  },

  // Local pages may show local files; over a network the page stays with what it carries.
  async load(photo) {
    if (location.protocol !== "file:") return;
    const original = new Image();
    original.src = photo.href;
    try {
      await original.decode();
    } catch {
      return; // moved, or of a format that browsers do not know
    }
    if (this.photo !== photo) return;
    $("picture").src = original.src;
    $("picture").classList.remove("is-thumbnail");
    this.hasOriginal = true;
    this.describe();
    const following = grid.neighbour(photo, 1, false);
    if (following) new Image().src = following.href;
  },

  describe() {
    const { photo } = this;
    const position = grid.shown.indexOf(photo);
    $("large-score").textContent = photo.score.toFixed(1);
    $("large-path").textContent = readable(photo.path);
    const certainty = photo.probability === undefined ? "" : ` ${Math.round(photo.probability * 100)} %`;
    $("large-more").textContent = [
      flawOf(photo) && flawOf(photo) + certainty,
      photo.width && `${photo.width} × ${photo.height}`,
      `rank ${photo.rank.toLocaleString()}`,
      `${(position + 1).toLocaleString()} of ${grid.shown.length.toLocaleString()} shown`,
      this.hasOriginal ? "" : "thumbnail",
    ]
      .filter(Boolean)
      .join("  ·  ");
    $("original").href = photo.href;
    $("zoom").hidden = !this.hasOriginal;
    $("previous").disabled = position <= 0;
    $("next").disabled = position < 0 || position === grid.shown.length - 1;
    $("large-pick").setAttribute("aria-pressed", picks.has(photo));
    $("large-pick").textContent = picks.has(photo) ? "Picked" : "Pick";
    this.dialog.classList.toggle("picked", picks.has(photo));
  },

  step(photo) {
    if (photo) this.show(photo);
  },

  setZoom(isZoomed, event = null) {
    const stage = $("stage");
    const box = $("picture").getBoundingClientRect();
    const across = event ? (event.clientX - box.left) / box.width : 0.5;
    const down = event ? (event.clientY - box.top) / box.height : 0.5;
    stage.classList.toggle("is-zoomed", isZoomed);
    $("zoom").setAttribute("aria-pressed", isZoomed);
    if (isZoomed) {
      stage.scrollLeft = across * stage.scrollWidth - stage.clientWidth / 2;
      stage.scrollTop = down * stage.scrollHeight - stage.clientHeight / 2;
    }
  },

  toggleZoom(event = null) {
    if (this.hasOriginal) this.setZoom(!$("stage").classList.contains("is-zoomed"), event);
  },
};
