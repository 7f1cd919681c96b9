// What the page was given: photos, thumbnails, and names made safe to look at.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);

const MOST_STARS = 5;

// Control and direction characters and stray bytes, which could make a name look like another.
const INVISIBLE =
  /[\p{Cc}\p{Cs}\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

function readable(text) {
  return text.replace(INVISIBLE, (char) => {
    const code = char.codePointAt(0);
    return code >= 0xdc80 && code <= 0xdcff
      ? `\\x${(code - 0xdc00).toString(16)}` // a byte of a name that is not UTF-8
      : `\\u{${code.toString(16)}}`;
  });
}

const folded = (text) => text.normalize("NFC").toLocaleLowerCase();

function folderOf(path) {
  const end = path.lastIndexOf(data.separator);
  return end < 0 ? "" : path.slice(0, end) || data.separator;
}

const photos = data.photos.map((photo, index) => {
  const folder = folderOf(photo.path);
  const name = photo.path.slice(folder && folder !== data.separator ? folder.length + 1 : folder.length);
  const aspect = photo.width && photo.height ? photo.width / photo.height : 1.5;
  return { ...photo, index, folder, name, aspect, searchable: folded(photo.path) };
});

// The folder that holds everything; names are shown from there on.
const root = photos.reduce((common, photo) => {
  if (common === null) return photo.folder;
  let folder = common;
  while (folder && !isWithin(photo.folder, folder)) folder = folderOf(folder) === folder ? "" : folderOf(folder);
  return folder;
}, null) || "";

function isWithin(folder, outer) {
  if (folder === outer || outer === "") return true;
  return folder.startsWith(outer.endsWith(data.separator) ? outer : outer + data.separator);
}

function fromRoot(folder) {
  return folder.slice(root && !root.endsWith(data.separator) ? root.length + 1 : root.length);
}

// The address of the photo's file, decoded once; null where it cannot be shown. Local pages may
// show local files; over a network the page stays with what it carries.
async function original(photo) {
  if (location.protocol !== "file:") return null;
  const image = new Image();
  image.src = photo.href;
  try {
    await image.decode();
  } catch {
    return null; // moved, or of a format that browsers do not know
  }
  return image.src;
}

const blocks = new Map();

// A data URI; null where there is no thumbnail, undefined while its block is still loading.
function thumbnail(photo) {
  const number = Math.floor(photo.index / data.block);
  if (!blocks.has(number)) {
    const lines = ($(`thumbnails-${number}`)?.textContent ?? "").split("\n");
    if (lines.at(-1) !== ".") return document.readyState === "loading" ? undefined : null;
    blocks.set(number, lines);
  }
  const line = blocks.get(number)[photo.index % data.block];
  return line ? `data:${data.mime};base64,${line}` : null;
}

// What the browser remembers for the next visit; some browsers forbid it for local files.
const memory = {
  works: true,
  get(name) {
    try {
      return localStorage.getItem(`contrique:${name}`);
    } catch {
      this.works = false;
      return null;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(`contrique:${name}`, value);
    } catch {
      this.works = false;
    }
  },
};

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const plural = (count, noun) => `${count.toLocaleString()} ${noun}${count === 1 ? "" : "s"}`;
