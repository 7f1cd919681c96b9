// The picked photos: kept for the next visit, and given away as a list of paths.

const picks = (() => {
  const key = `picks:${location.pathname}`;
  const kept = new Set();
  const byId = new Map(photos.map((photo) => [photo.id, photo]));
  let elsewhere = []; // picks of photos that are not in this page now: they may come back
  try {
    for (const id of JSON.parse(memory.get(key) ?? "[]")) {
      if (byId.has(id)) kept.add(id);
      else elsewhere.push(id);
    }
  } catch {
    elsewhere = []; // not ours, or damaged
  }
  const save = () => memory.set(key, JSON.stringify([...kept, ...elsewhere]));
  return {
    has: (photo) => kept.has(photo.id),
    get size() {
      return kept.size;
    },
    // In rank order.
    list: () => photos.filter((photo) => kept.has(photo.id)).sort(byRank),
    set(some, isPicked) {
      for (const photo of some) {
        if (isPicked) kept.add(photo.id);
        else kept.delete(photo.id);
      }
      save();
    },
    replace(some) {
      kept.clear();
      this.set(some, true);
    },
  };
})();

const STRAY_BYTE = /[\udc80-\udcff]/u; // with `u`, never half of a pair

// The very bytes of a name: what is not UTF-8 arrives as lone surrogates.
function bytesOf(path) {
  const encoder = new TextEncoder();
  return path
    .split(/([\udc80-\udcff])/u)
    .map((part) => (STRAY_BYTE.test(part) ? Uint8Array.of(part.charCodeAt(0) - 0xdc00) : encoder.encode(part)));
}

function listAsBlob(some, separator) {
  const parts = some.flatMap((photo) => [...bytesOf(photo.path), separator]);
  return new Blob(parts, { type: "application/octet-stream" });
}

function download(separator, name) {
  const some = picks.list();
  offer(listAsBlob(some, separator), name);
  toast(`${plural(some.length, "path")} in ${name}. ${separator === "\n" ? brokenLines(some) : ""}`);
}

function offer(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = element("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

async function copyPaths() {
  const some = picks.list();
  const text = some.map((photo) => photo.path).join("\n");
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copyByHand(text)) {
      toast("This browser does not let the page copy; download the list instead.");
      return;
    }
  }
  const strays = some.filter((photo) => STRAY_BYTE.test(photo.path)).length;
  const inexact = strays ? `${plural(strays, "name")} cannot be copied exactly: download the list.` : "";
  toast(`${plural(some.length, "path")} copied. ${inexact} ${brokenLines(some)}`);
}

function copyByHand(text) {
  const area = element("textarea", { value: text, readOnly: true });
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  return isCopied;
}

function brokenLines(some) {
  const broken = some.filter((photo) => /[\n\r]/.test(photo.path)).length;
  return broken ? `${plural(broken, "name")} with a line break: use the NUL-separated list.` : "";
}

let toastTimer;

function toast(text, undo = null) {
  clearTimeout(toastTimer);
  ([...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body).append($("toast")); // on top
  $("toast").replaceChildren(text.trim());
  if (undo) {
    const button = element("button", { textContent: "Undo" });
    button.addEventListener("click", () => {
      undo();
      $("toast").replaceChildren();
    });
    $("toast").append(" ", button);
  }
  toastTimer = setTimeout(() => $("toast").replaceChildren(), undo ? 12000 : 6000);
}
