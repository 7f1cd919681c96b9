// The stars a person gives here: kept for the next visit, and given away as a list that
// `contrique rate` writes into sidecars.

const stars = (() => {
  const key = `stars:${location.pathname}`;
  const given = new Map(); // photos' ids to -1 (rejected), 0 (none) or 1 to 5
  const byId = new Map(photos.map((photo) => [photo.id, photo]));
  let elsewhere = []; // those of photos that are not in this page now: they may come back
  const isStars = (number) => Number.isInteger(number) && number >= -1 && number <= MOST_STARS;
  try {
    for (const [id, number] of Object.entries(JSON.parse(memory.get(key) ?? "{}"))) {
      if (!isStars(number)) continue;
      if (byId.has(id)) given.set(id, number);
      else elsewhere.push([id, number]);
    }
  } catch {
    elsewhere = []; // not ours, or damaged
  }
  const save = () => memory.set(key, JSON.stringify(Object.fromEntries([...elsewhere, ...given])));
  return {
    // As given here, else as the report has them; 0 for none.
    of: (photo) => given.get(photo.id) ?? photo.rating ?? 0,
    isGiven: (photo) => given.has(photo.id),
    get size() {
      return given.size;
    },
    // In rank order.
    list: () => photos.filter((photo) => given.has(photo.id)).sort(byRank),
    set(some, number) {
      for (const photo of some) given.set(photo.id, number);
      save();
    },
    snapshot: () => new Map(given),
    replace(some) {
      given.clear();
      for (const [id, number] of some) given.set(id, number);
      save();
    },
    words: (number) => (number < 0 ? "rejected" : number === 0 ? "no stars" : plural(number, "star")),
    symbols: (number) => (number < 0 ? "✕" : "★".repeat(Math.round(number))),
  };
})();

// The list as JSON in ASCII, so that no character of a name can turn or end anything.
function starsAsList() {
  const list = stars.list().map((photo) => ({
    path: photo.path,
    rating: stars.of(photo),
    ...(photo.companion === undefined ? {} : { companion: photo.companion }),
  }));
  const text = JSON.stringify({ format: "contrique-picks", version: 1, folder: data.folder, photos: list }, null, 1);
  return `${text.replace(/[^\x20-\x7e\n]|[<>&]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)}\n`;
}

function downloadStars() {
  offer(new Blob([starsAsList()], { type: "application/json" }), "picks.json");
  toast(`${plural(stars.size, "photo")} in picks.json: contrique rate --from picks.json writes the stars into sidecars.`);
}

// Buttons to reject and to give stars; those of the present stars again take them away.
function makeStarButtons(id, photoOf) {
  for (const number of [-1, ...Array.from({ length: MOST_STARS }, (_, index) => index + 1)]) {
    const button = element("button", { textContent: number < 0 ? "✕" : "★", title: number < 0 ? "Reject" : stars.words(number) });
    button.dataset.stars = number;
    button.setAttribute("aria-label", button.title);
    button.addEventListener("click", () => {
      const photo = photoOf();
      giveStars([photo], stars.of(photo) === number ? 0 : number);
    });
    $(id).append(button);
  }
}

function showStarButtons(id, number) {
  for (const button of $(id).children) {
    const own = Number(button.dataset.stars);
    button.setAttribute("aria-pressed", own === number);
    button.classList.toggle("is-on", own === number || (own > 0 && own <= number));
  }
}
