/** Writes an element, without the attributes that are undefined. */
export function element(name, attributes, ...children) {
  const list = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escaped(typeof value === 'number' ? tidy(value) : value)}"`)
    .join('');
  return children.length === 0 ? `<${name}${list}/>` : `<${name}${list}>${children.join('')}</${name}>`;
}

export function text(x, y, content, kind, anchor) {
  return element('text', { x, y, class: kind, 'text-anchor': anchor }, escaped(String(content)));
}

export function line(x1, y1, x2, y2, kind) {
  return element('line', { x1, y1, x2, y2, class: kind });
}

/** Writes a whole picture with its own background, for light and dark pages. */
export function picture({ width, height, description }, ...children) {
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  return `${element(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', ...size, role: 'img', 'aria-label': description },
    `<style>${style}</style>`,
    element('rect', { class: 'ground', x: 0.5, y: 0.5, width: width - 1, height: height - 1, rx: 8 }),
    ...children.map((child) => `\n${child}`),
  )}\n`;
}

const style = `
svg { color-scheme: light dark;
  --ground: #ffffff; --edge: #d7dde3; --ink: #1d2329; --faint: #626c77; --grid: #e8ecf0; --one: #9aa5b1;
  --peer: #c3ccd6; --dot: #5b6672; --ours: #5cb8aa; --oursdot: #0b5f55; --target: #c2410c; --met: #15803d; }
@media (prefers-color-scheme: dark) { svg {
  --ground: #10151b; --edge: #2b333c; --ink: #e4e9ee; --faint: #97a2ae; --grid: #222a32; --one: #66717d;
  --peer: #46515d; --dot: #b3bdc8; --ours: #1f8378; --oursdot: #7ff0de; --target: #fb923c; --met: #4ade80; } }
text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: var(--ink); }
.title { font-weight: 600; font-size: 15px; } .small { font-size: 11.5px; fill: var(--faint); }
.number { font-variant-numeric: tabular-nums; font-weight: 600; } .value { font-variant-numeric: tabular-nums; fill: var(--faint); }
.ground { fill: var(--ground); stroke: var(--edge); } .grid { stroke: var(--grid); } .one { stroke: var(--one); stroke-width: 1.5; }
.peer { fill: var(--peer); } .ours { fill: var(--ours); } .strong { font-weight: 600; }
.whisker { stroke: var(--dot); stroke-width: 1.25; } .whisker.us { stroke: var(--oursdot); }
.dot { fill: var(--dot); fill-opacity: .55; } .dot.us { fill: var(--oursdot); }
.tight { font-size: 11.5px; }
.target { stroke: var(--one); stroke-width: 2.5; } .target.met { stroke: var(--met); } .target.missed { stroke: var(--target); }
.break { stroke: var(--ground); stroke-width: 3; fill: none; }
.path { fill: none; stroke: var(--dot); stroke-width: 2; } .path.us { stroke: var(--ours); stroke-width: 2.5; }
.ideal { fill: none; stroke: var(--one); stroke-width: 1.5; stroke-dasharray: 4 4; }
.point { fill: var(--ground); stroke: var(--dot); stroke-width: 2; } .point.us { stroke: var(--ours); stroke-width: 2.5; }
`;

function escaped(value) {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function tidy(number) {
  return String(Math.round(number * 100) / 100);
}
