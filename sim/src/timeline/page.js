// The page around the picture: the trace, the search, the keys.

const $ = id => document.getElementById(id);
const data = JSON.parse($('data').textContent);
for (const line of data.lines) line.node ??= null;
const picture = new Picture($('canvas'), data);
const ROW = 21;
const packetIndex = new Map(data.packets.map((packet, i) => [packet.id, i]));
const firstLine = new Map();
data.lines.forEach((line, i) => { if (line.packet !== undefined && !firstLine.has(line.packet)) firstLine.set(line.packet, i); });
let chosenLine = -1, hits = [], hit = -1;

const nodeName = node => node === null ? '–' : data.nodes[node];
const lineText = line => `${nodeName(line.node)} ${data.tasks[line.task]}: ${line.text}`;

function packetText({ id, kind, from, to, bytes, sent, end, lost }) {
  const fate = end === null ? 'on its way at the end' : `${lost ? 'lost' : 'arrives'} at ${seconds(end)} s, after ${span(end - sent)}`;
  return `packet ${id}: ${kind}${bytes ? `, ${bytes} bytes` : ''}, from ${nodeName(from)} to ${nodeName(to)}\nsent at ${seconds(sent)} s\n${fate}`;
}

function spellText({ kind, from, to, start, end, text }) {
  const what = from === to ? `${nodeName(from)}: ${text}` : `${nodeName(from)} → ${nodeName(to)}: ${text}`;
  return `${what}\nfrom ${seconds(start)} s to ${seconds(end)} s, ${span(end - start)}`;
}

/** The text for what is under the pointer. */
function describe(found) {
  if (found.node !== undefined) return nodeName(found.node);
  if (found.packet !== undefined) return packetText(data.packets[found.packet]);
  if (found.spells) return found.spells.slice(0, 6).map(spellText).join('\n');
  if (found.label) return [found.label.text, ...found.label.more].join('\n');
  const few = found.lines.slice(0, 10).map(i => `${seconds(data.lines[i].at)}  ${data.tasks[data.lines[i].task]}: ${data.lines[i].text}`);
  return few.join('\n') + (found.lines.length > 10 ? `\nand ${found.lines.length - 10} more` : '');
}

let scheduled = false;
function redraw() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => { scheduled = false; picture.draw(); });
}

// The trace.

/** Shows the rows in sight, and no others. */
function showRows() {
  const first = Math.max(0, Math.floor($('rows').scrollTop / ROW) - 4);
  const last = Math.min(data.lines.length, first + Math.ceil($('rows').clientHeight / ROW) + 8);
  $('seen').style.top = `${first * ROW}px`;
  $('seen').replaceChildren(...data.lines.slice(first, last).map((line, k) => row(line, first + k)));
}

function row(line, i) {
  const element = document.createElement('div');
  element.className = 'row' + (i === chosenLine ? ' chosen' : '') + (picture.hits.lines.has(i) ? ' hit' : '') + (line.text.startsWith('fault:') ? ' fault' : '');
  element.setAttribute('role', 'row');
  element.setAttribute('aria-rowindex', i + 1);
  element.setAttribute('aria-selected', i === chosenLine);
  element.dataset.line = i;
  element.id = `line-${i}`;
  for (const text of [seconds(line.at), nodeName(line.node), data.tasks[line.task], line.text]) {
    const cell = document.createElement('span');
    cell.setAttribute('role', 'gridcell');
    cell.textContent = text;
    cell.title = text;
    element.append(cell);
  }
  return element;
}

function revealRow(i) {
  const rows = $('rows'), y = i * ROW;
  if (y < rows.scrollTop || y + ROW > rows.scrollTop + rows.clientHeight) rows.scrollTop = y - rows.clientHeight / 2;
  showRows();
  if (document.getElementById(`line-${i}`)) rows.setAttribute('aria-activedescendant', `line-${i}`);
}

/** Chooses a line of the trace: it is shown in both places. */
function chooseLine(i) {
  if (!data.lines[i]) return;
  const line = data.lines[i], packet = packetIndex.get(line.packet) ?? null;
  let node = line.node;
  if (packet !== null) node = line.at === data.packets[packet].sent ? data.packets[packet].from : data.packets[packet].to;
  choose({ at: line.at, node, packet }, i, lineText(line));
}

/** Chooses a packet, and the line that sent it. */
function choosePacket(i) {
  const { id, from, sent } = data.packets[i];
  choose({ at: sent, node: from, packet: i }, firstLine.get(id) ?? -1, packetText(data.packets[i]).replaceAll('\n', ', '));
}

function choose(place, line, text) {
  picture.chosen = place;
  chosenLine = line;
  picture.reveal(picture.axis.of(place.at), place.node);
  if (line >= 0) revealRow(line); else showRows();
  $('status').textContent = `${seconds(place.at)} s  ${text}`;
  redraw();
}

// The search.

function search() {
  const query = $('query').value.trim().toLowerCase(), lines = new Set(), packets = new Set();
  hits = [];
  hit = -1;
  if (query) {
    data.lines.forEach((line, i) => {
      if (!lineText(line).toLowerCase().includes(query)) return;
      lines.add(i);
      hits.push({ at: line.at, line: i });
      if (line.packet !== undefined) packets.add(packetIndex.get(line.packet));
    });
    data.packets.forEach((packet, i) => {
      if (packets.has(i) || !packetText(packet).toLowerCase().includes(query)) return;
      packets.add(i);
      hits.push({ at: packet.sent, packet: i });
    });
    hits.sort((a, b) => a.at - b.at);
  }
  picture.hits = { lines, packets };
  $('hits').textContent = query ? `${hits.length} found` : '';
  showRows();
  redraw();
}

function step(by) {
  if (!hits.length) return;
  hit = hit < 0 && by < 0 ? hits.length - 1 : (hit + by + hits.length) % hits.length;
  $('hits').textContent = `${hit + 1} of ${hits.length}`;
  if (hits[hit].line !== undefined) chooseLine(hits[hit].line); else choosePacket(hits[hit].packet);
}

// What is said once.

function sayOnce() {
  $('name').textContent = `${data.name} · seed ${data.seed}`;
  const verdict = $('verdict'), said = document.createElement('b');
  verdict.className = data.failure ? 'failed' : '';
  said.textContent = data.failure ? data.failure.text : 'ok';
  verdict.append(said, ` ${data.failure ? 'failed ' : ''}after ${span(data.end)}`);
  if (data.failure?.task) verdict.append(` on ${nodeName(data.failure.node)}, task ${data.failure.task}`);
  if (data.failure?.place) verdict.append('  ', Object.assign(document.createElement('code'), { textContent: data.failure.place }));
  const left = Object.entries(data.left_out).filter(([, count]) => count).map(([what, count]) => `${count} ${what}`);
  if (left.length) verdict.append(`  (without the first ${left.join(' and ')}: too many to show)`);
  $('all').style.height = `${data.lines.length * ROW}px`;
  $('rows').setAttribute('aria-rowcount', data.lines.length);
  $('status').textContent = 'Wheel zooms, drag pans, a click chooses; keys: arrows + − 0 c n p /';
}

function showLegend() {
  for (const kind of KINDS) {
    const count = data.packets.filter(packet => packet.kind === kind).length;
    if (!count) continue;
    const button = document.createElement('button'), swatch = document.createElement('i'), number = document.createElement('small');
    button.type = 'button';
    swatch.style.color = `var(--${kind})`;
    number.textContent = count;
    button.append(swatch, kind, number);
    button.setAttribute('aria-pressed', picture.shown.has(kind));
    button.onclick = () => {
      if (!picture.shown.delete(kind)) picture.shown.add(kind);
      button.setAttribute('aria-pressed', picture.shown.has(kind));
      redraw();
    };
    $('legend').append(button);
  }
}

/** Names what else is in the picture, where it is. */
function showKeys() {
  const kinds = new Set(data.spells.map(spell => spell.kind));
  const spells = { cut: 'link cut', slow: 'link slow or lossy', paused: 'node paused', sluggish: 'node slow', clock: 'clock wrong', refusing: 'refuses connections' };
  const keys = Object.entries(spells).map(([kind, text]) => [kind, kinds.has(kind), text]);
  keys.push(['lost', data.packets.some(it => it.lost), 'lost']);
  for (const [className, is, textContent] of keys) {
    if (is) $('legend').append(Object.assign(document.createElement('span'), { className: `key ${className}`, textContent }));
  }
}

/** The tasks that were blocked at the end, by node. */
function showBlocked() {
  if (!data.blocked.length) return;
  const title = document.createElement('h2'), table = document.createElement('table');
  title.textContent = `Tasks at the end: ${data.blocked.length}`;
  let last;
  for (const { node, task, wait, place, spawned } of [...data.blocked].sort((a, b) => (a.node ?? -1) - (b.node ?? -1))) {
    const head = Object.assign(document.createElement('th'), { scope: 'row', textContent: node === last ? '' : nodeName(node) });
    const cells = [task, wait, place ?? '', spawned ? `spawned at ${spawned}` : ''].map((textContent, i) =>
      Object.assign(document.createElement('td'), { textContent, className: i > 1 ? 'place' : '' }));
    table.insertRow().append(head, ...cells);
    last = node;
  }
  $('blocked').append(title, table);
  $('blocked').hidden = false;
}

// Pointer and keys.

function hover(x, y) {
  const found = picture.at(x, y), tip = $('tip');
  tip.hidden = !found;
  if (!found) return;
  tip.textContent = describe(found);
  tip.style.left = `${Math.min(x + 14, Math.max(0, picture.width - tip.offsetWidth - 8))}px`;
  tip.style.top = `${y + 18 + tip.offsetHeight > picture.height ? Math.max(0, y - tip.offsetHeight - 10) : y + 18}px`;
}

function click(x, y) {
  const found = picture.at(x, y);
  if (found?.packet !== undefined) choosePacket(found.packet);
  else if (found?.lines) chooseLine(found.lines[0]);
}

function listenToPointer() {
  const canvas = $('canvas');
  let from = null, moved = false;
  canvas.onpointerdown = event => { from = event; moved = false; canvas.setPointerCapture(event.pointerId); };
  canvas.onpointermove = event => {
    if (!from) return hover(event.offsetX, event.offsetY);
    if (!moved && Math.hypot(event.offsetX - from.offsetX, event.offsetY - from.offsetY) < 4) return;
    picture.pan(from.offsetX - event.offsetX, from.offsetY - event.offsetY);
    [from, moved] = [event, true];
    canvas.classList.add('dragging');
    $('tip').hidden = true;
    redraw();
  };
  canvas.onpointerup = event => {
    if (from && !moved) click(event.offsetX, event.offsetY);
    from = null;
    canvas.classList.remove('dragging');
  };
  canvas.onpointercancel = canvas.onpointerup;
  canvas.onpointerleave = () => { $('tip').hidden = true; };
  canvas.addEventListener('wheel', event => {
    event.preventDefault();
    const pixels = event.deltaMode ? event.deltaY * 16 : event.deltaY;
    if (event.shiftKey) picture.pan(0, pixels || event.deltaX);
    else { picture.zoom(2 ** (pixels / 240), event.offsetY); picture.pan(event.deltaX, 0); }
    $('tip').hidden = true;
    redraw();
  }, { passive: false });
}

function setCompact(compact) {
  picture.useAxis(compact ? compactAxis : trueAxis);
  $('compact').setAttribute('aria-pressed', compact);
  redraw();
}

const KEYS = {
  ArrowUp: () => picture.pan(0, -60), ArrowDown: () => picture.pan(0, 60),
  ArrowLeft: () => picture.pan(-60, 0), ArrowRight: () => picture.pan(60, 0),
  PageUp: () => picture.pan(0, 100 - picture.height), PageDown: () => picture.pan(0, picture.height - 100),
  '+': () => picture.zoom(0.7), '=': () => picture.zoom(0.7), '-': () => picture.zoom(1 / 0.7), 0: () => picture.fit(),
  c: () => setCompact(!picture.axis.compact), n: () => chooseLine(chosenLine + 1), p: () => chooseLine(chosenLine - 1),
};
const ROW_KEYS = { ArrowDown: () => chooseLine(chosenLine + 1), ArrowUp: () => chooseLine(chosenLine - 1) };

function listenToKeys() {
  const on = (element, keys) => element.addEventListener('keydown', event => {
    if (!Object.hasOwn(keys, event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
    redraw();
  });
  on($('canvas'), KEYS);
  on($('rows'), ROW_KEYS);
  on($('split'), { ArrowLeft: () => split($('side').offsetWidth + 30), ArrowRight: () => split($('side').offsetWidth - 30) });
  on($('query'), { Escape: () => { $('query').value = ''; search(); $('canvas').focus(); } });
  document.addEventListener('keydown', event => {
    if (event.key === '/' && event.target !== $('query')) { event.preventDefault(); $('query').focus(); }
  });
  $('query').onkeydown = event => { if (event.key === 'Enter' && event.shiftKey) { event.preventDefault(); step(-1); } };
}

function split(width) {
  $('side').style.width = `${Math.max(240, Math.min(window.innerWidth - 320, width))}px`;
}

function listen() {
  listenToPointer();
  listenToKeys();
  $('in').onclick = () => { picture.zoom(0.7); redraw(); };
  $('out').onclick = () => { picture.zoom(1 / 0.7); redraw(); };
  $('fit').onclick = () => { picture.fit(); redraw(); };
  $('compact').onclick = () => setCompact(!picture.axis.compact);
  $('query').oninput = search;
  $('search').onsubmit = event => { event.preventDefault(); step(1); };
  $('previous').onclick = () => step(-1);
  $('rows').onscroll = showRows;
  $('seen').onclick = event => { const row = event.target.closest('.row'); if (row) chooseLine(+row.dataset.line); };
  $('split').onpointerdown = event => $('split').setPointerCapture(event.pointerId);
  $('split').onpointermove = event => { if (event.buttons) split(window.innerWidth - event.clientX); };
  new ResizeObserver(() => { picture.resize(); picture.draw(); showRows(); }).observe($('picture'));
  matchMedia('(prefers-color-scheme: dark)').onchange = () => { picture.colours = palette(); redraw(); };
}

sayOnce();
showLegend();
showKeys();
showBlocked();
listen();
setCompact(true);
if (data.packets.length > DENSE) picture.showEnd();
$('rows').scrollTop = data.packets.length > DENSE ? data.lines.length * ROW : 0;
showRows();
picture.draw();
