// Where things lie: rows of photos at full width, each photo whole and in its own shape.

const GAP = 14;
const CAPTION = 42;
const HEADING = 44;
const NARROWEST = 0.55; // width over height; longer shapes get a frame of this shape
const WIDEST = 3;

// Rows {top, height, cells: [{item, left, width}]} for items in a given width, in pixels.
function arrange(items, width, target) {
  const rows = [];
  let top = 0;
  let waiting = [];
  const shape = (item) => Math.min(WIDEST, Math.max(NARROWEST, item.photo.aspect));
  const flush = (isLast) => {
    if (waiting.length === 0) return;
    const room = width - GAP * (waiting.length - 1);
    const shapes = waiting.reduce((sum, item) => sum + shape(item), 0);
    const height = Math.min(room / shapes, isLast ? target : target * 1.45);
    let left = 0;
    const cells = waiting.map((item) => {
      const cell = { item, left, width: height * shape(item) };
      left += cell.width + GAP;
      return cell;
    });
    rows.push({ top, height: height + CAPTION, cells });
    top += height + CAPTION + GAP;
    waiting = [];
  };
  for (const item of items) {
    if (item.heading !== undefined) {
      flush(true);
      rows.push({ top, height: HEADING, cells: [{ item, left: 0, width }] });
      top += HEADING;
      continue;
    }
    waiting.push(item);
    const shapes = waiting.reduce((sum, one) => sum + shape(one), 0);
    if (shapes * target + GAP * (waiting.length - 1) >= width) flush(false);
  }
  flush(true);
  return { rows, height: top };
}

// Indices of the first row that ends below `from` and of the first that begins below `to`.
function rowsBetween(rows, from, to) {
  const first = (isBeyond) => {
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBeyond(rows[middle])) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  return [first((row) => row.top + row.height >= from), first((row) => row.top > to)];
}
