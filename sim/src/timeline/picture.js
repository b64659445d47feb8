// The picture: time runs downwards, so that labels are level text and rows of the trace and of the picture go the same way.

const KINDS = ['open', 'data', 'end', 'reset', 'datagram', 'acknowledgement'];
/** More packets, or dots, than these at once are drawn faintly. */
const DENSE = 1500;
const LEFT = 104, HEAD = 36, FOOT = 28, LANE_MIN = 64;
/** What can ail a node that is alive: where its shade is, from the lane, and how strong. */
const AILMENTS = { paused: [-9, 18, 0.3], sluggish: [-9, 18, 0.3], clock: [-15, 3, 0.8], refusing: [12, 3, 0.8] };

/** Reads the colours of the present scheme. */
function palette() {
  const style = getComputedStyle(document.documentElement);
  const names = ['ground', 'panel', 'rule', 'ink', 'soft', 'faint', 'lane', 'accent', 'chosen', 'hit', 'bad', 'warn', ...Object.keys(AILMENTS), ...KINDS];
  return Object.fromEntries(names.map(name => [name, style.getPropertyValue('--' + name).trim()]));
}

class Picture {
  constructor(canvas, data) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.data = data;
    this.shown = new Set(KINDS.filter(kind => kind !== 'acknowledgement'));
    this.hits = { packets: new Set(), lines: new Set() };
    this.chosen = null;
    this.panX = 0;
    const times = [0, data.end];
    for (const packet of data.packets) times.push(packet.sent, packet.end ?? data.end);
    for (const line of data.lines) times.push(line.at);
    for (const spell of data.spells) times.push(spell.start, spell.end);
    for (const fault of data.faults) times.push(fault.at);
    this.times = distinct(times);
    this.local = data.lines.map((line, i) => i).filter(i => data.lines[i].node !== null && data.lines[i].packet === undefined);
    this.colours = palette();
    this.useAxis(compactAxis);
  }

  /** Places everything on an axis made by `make`; the view then shows the whole run. */
  useAxis(make) {
    const { packets, lines, end } = this.data;
    this.axis = make(this.times);
    this.sent = Float64Array.from(packets, packet => this.axis.of(packet.sent));
    this.ends = Float64Array.from(packets, packet => this.axis.of(packet.end ?? end));
    this.lineAt = Float64Array.from(lines, line => this.axis.of(line.at));
    this.localAt = Float64Array.from(this.local, i => this.lineAt[i]);
    // The latest end of all packets up to each: rising, so that those still under way at a time are found by bisection.
    let latest = 0;
    this.latest = this.ends.map(it => latest = Math.max(latest, it));
    this.fit();
  }

  resize() {
    const scale = window.devicePixelRatio || 1, { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = clientWidth * scale;
    this.canvas.height = clientHeight * scale;
    this.context.setTransform(scale, 0, 0, scale, 0, 0);
    this.width = clientWidth;
    this.height = clientHeight;
    this.gutter = this.data.faults.length || this.data.failure ? Math.min(280, clientWidth * 0.3) : 24;
    const room = clientWidth - LEFT - this.gutter, count = Math.max(this.data.nodes.length, 1);
    this.lane = Math.max(LANE_MIN, room / count);
    this.overflow = Math.max(0, this.lane * count - room);
    this.panX = Math.min(this.panX, this.overflow);
    if (this.fitted) this.showWhole();
  }

  fit() {
    this.fitted = true;
    this.resize();
  }

  showWhole() {
    this.perPixel = this.axis.end / Math.max(this.height - HEAD - FOOT - 44, 100);
    this.widest = this.perPixel * 2;
    this.top = -14 * this.perPixel;
  }

  x(node) { return LEFT + (node + 0.5) * this.lane - this.panX; }
  y(unit) { return HEAD + (unit - this.top) / this.perPixel; }
  isSeen(node) { return this.x(node) >= LEFT && this.x(node) <= this.width - this.gutter; }
  unit(y) { return this.top + (y - HEAD) * this.perPixel; }

  /** Shows the end of the run, with about as many packets as can be told apart. */
  showEnd() {
    const first = this.sent[Math.max(0, this.sent.length - 120)];
    this.fitted = false;
    this.perPixel = Math.max(this.axis.finest, (this.axis.end - first) / (this.height - HEAD - FOOT - 60));
    this.top = first - 14 * this.perPixel;
  }

  zoom(factor, y = (this.height + HEAD) / 2) {
    this.fitted = false;
    const fixed = this.unit(y);
    this.perPixel = Math.min(this.widest, Math.max(this.axis.finest, this.perPixel * factor));
    this.top = fixed - (y - HEAD) * this.perPixel;
    this.pan(0, 0);
  }

  /** Moves the view by pixels; the run stays in sight. */
  pan(dx, dy) {
    if (dx || dy) this.fitted = false;
    const seen = (this.height - HEAD - FOOT) * this.perPixel;
    this.top = Math.min(this.axis.end - seen * 0.1, Math.max(-seen * 0.9, this.top + dy * this.perPixel));
    this.panX = Math.min(this.overflow, Math.max(0, this.panX + dx));
  }

  /** Moves the view so that `unit` and `node` are in it. */
  reveal(unit, node) {
    const y = this.y(unit);
    if (y < HEAD + 4 || y > this.height - FOOT - 4) this.pan(0, (unit - this.unit((this.height + HEAD - FOOT) / 2)) / this.perPixel);
    if (node !== null && !this.isSeen(node)) this.pan(this.x(node) - (LEFT + this.width - this.gutter) / 2, 0);
  }

  /** The indices of packets that are under way in the time seen, of kinds shown. */
  seenPackets() {
    const from = lowerBound(this.latest, this.unit(HEAD)), to = lowerBound(this.sent, this.unit(this.height));
    const seen = [];
    for (let i = from; i < to; i++) {
      if (this.ends[i] >= this.unit(HEAD) && this.shown.has(this.data.packets[i].kind)) seen.push(i);
    }
    return seen;
  }

  /** Where a packet is drawn from and to; one that did not arrive is cut short, just before the receiver's lane. */
  segment(i) {
    const { from, to, end, lost } = this.data.packets[i];
    const x1 = this.x(from), y1 = this.y(this.sent[i]), x2 = this.x(to), y2 = this.y(this.ends[i]);
    const part = lost || end === null ? 1 - 0.4 / Math.max(1, Math.abs(to - from)) : 1;
    return [x1, y1, x1 + (x2 - x1) * part, y1 + (y2 - y1) * part];
  }

  draw() {
    const { context, width, height, colours } = this;
    context.fillStyle = colours.ground;
    context.fillRect(0, 0, width, height);
    context.save();
    context.beginPath();
    context.rect(LEFT, HEAD, width - LEFT - this.gutter, height - HEAD);
    context.clip();
    this.drawSpells();
    this.drawAilments();
    this.drawLanes();
    this.drawFaultLines();
    this.drawPackets(this.seenPackets());
    this.drawLocal();
    this.drawChosen();
    context.restore();
    this.drawLabels();
    this.drawAxis();
    this.drawHead();
  }

  line(x1, y1, x2, y2) {
    this.context.beginPath();
    this.context.moveTo(x1, y1);
    this.context.lineTo(x2, y2);
    this.context.stroke();
  }

  /** Links that are not as usual: the space between neighbours is shaded; others are tied by a bracket. */
  drawSpells() {
    const { context, colours } = this;
    for (const { kind, from, to, start, end } of this.data.spells) {
      const y1 = Math.max(this.y(this.axis.of(start)), HEAD - 9), y2 = Math.min(this.y(this.axis.of(end)), this.height + 9);
      if (from === to || y2 < HEAD || y1 > this.height) continue;
      const near = this.x(from), far = this.x(to), colour = kind === 'cut' ? colours.bad : colours.warn;
      const side = Math.sign(far - near);
      context.fillStyle = context.strokeStyle = colour;
      context.globalAlpha = 0.55;
      context.fillRect(near + side * (kind === 'cut' ? 3 : 7) - (side < 0 ? 3 : 0), y1, 3, y2 - y1);
      context.globalAlpha = 0.07;
      if (Math.abs(from - to) === 1) context.fillRect(Math.min(near, far), y1, this.lane, y2 - y1);
      context.globalAlpha = 0.45;
      context.lineWidth = 1;
      context.setLineDash([2, 4]);
      this.line(near, y1, far, y1);
      this.line(near, y2, far, y2);
      context.setLineDash([]);
    }
    context.globalAlpha = 1;
  }

  drawAilments() {
    const { context, colours } = this;
    for (const { kind, from, start, end } of this.data.spells) {
      if (kind in AILMENTS) this.drawAilment(AILMENTS[kind], colours[kind], this.x(from), this.y(this.axis.of(start)), this.y(this.axis.of(end)));
    }
    context.globalAlpha = 1;
  }

  drawAilment([left, width, alpha], colour, x, y1, y2) {
    const { context } = this;
    context.fillStyle = colour;
    context.globalAlpha = alpha;
    context.fillRect(x + left, y1, width, Math.max(y2 - y1, 2));
  }

  drawLanes() {
    const { context, colours } = this, { nodes, spells } = this.data;
    const dead = nodes.map(() => []);
    for (const spell of spells) if (spell.kind === 'dead') dead[spell.from].push(spell);
    const start = this.y(0), stop = this.y(this.axis.end);
    nodes.forEach((_, node) => {
      const x = this.x(node);
      let alive = start;
      context.lineWidth = 1.5;
      for (const spell of dead[node]) {
        const y1 = this.y(this.axis.of(spell.start)), y2 = this.y(this.axis.of(spell.end));
        context.strokeStyle = colours.lane;
        this.line(x, alive, x, y1);
        context.setLineDash([1, 5]);
        this.line(x, y1, x, y2);
        context.setLineDash([]);
        context.strokeStyle = colours.bad;
        this.line(x - 5, y1 - 5, x + 5, y1 + 5);
        this.line(x - 5, y1 + 5, x + 5, y1 - 5);
        if (spell.end < this.data.end) this.drawRestart(x, y2);
        alive = y2;
      }
      context.strokeStyle = colours.lane;
      if (dead[node].at(-1)?.end !== this.data.end) this.line(x, alive, x, stop);
    });
    context.strokeStyle = colours.rule;
    context.lineWidth = 1;
    this.line(LEFT, stop, this.width, stop);
  }

  drawRestart(x, y) {
    const { context, colours } = this;
    context.strokeStyle = colours.open;
    context.fillStyle = colours.ground;
    context.beginPath();
    context.arc(x, y, 5, 0, 7);
    context.fill();
    context.stroke();
  }

  drawFaultLines() {
    const { context, colours } = this;
    context.strokeStyle = colours.faint;
    context.lineWidth = 1;
    context.setLineDash([1, 3]);
    for (const fault of this.data.faults) {
      const y = Math.round(this.y(this.axis.of(fault.at))) + 0.5;
      if (y > HEAD && y < this.height) this.line(LEFT, y, this.width, y);
    }
    context.setLineDash([]);
  }

  drawPackets(seen) {
    const { context, colours } = this;
    const dense = seen.length > DENSE, drawn = dense ? this.sample(seen) : seen;
    context.globalAlpha = dense ? Math.max(0.15, 0.9 * Math.sqrt(DENSE / 4 / drawn.length)) : 0.9;
    context.lineWidth = dense ? 0.7 : 1.2;
    for (const kind of KINDS) {
      context.strokeStyle = context.fillStyle = colours[kind];
      for (const i of drawn) if (this.data.packets[i].kind === kind && !this.hits.packets.has(i)) this.drawPacket(i, !dense);
    }
    context.globalAlpha = 1;
    for (const i of this.sample(seen.filter(i => this.hits.packets.has(i)))) this.drawMarked(i, colours.hit);
  }

  /** A packet in its colour upon a broad line in another. */
  drawMarked(i, colour) {
    const { context, colours } = this, [x1, y1, x2, y2] = this.segment(i);
    context.strokeStyle = colour;
    context.lineWidth = 7;
    this.line(x1, y1, x2, y2);
    context.strokeStyle = context.fillStyle = colours[this.data.packets[i].kind];
    context.lineWidth = 1.8;
    this.drawPacket(i, true);
  }

  /** Of those that leave from one place to another within two pixels, one; every one that was lost. */
  sample(seen) {
    const count = this.data.nodes.length, last = new Map();
    return seen.filter(i => {
      const { from, to, lost } = this.data.packets[i], way = from * count + to, y = this.y(this.sent[i]);
      if (!lost && y - last.get(way) < 2) return false;
      last.set(way, y);
      return true;
    });
  }

  /** A packet as an arrow; within a node, as a bow beside the lane. */
  drawPacket(i, whole) {
    const { context } = this, { from, to, lost, end } = this.data.packets[i];
    const [x1, y1, x2, y2] = this.segment(i);
    context.beginPath();
    context.moveTo(x1, y1);
    if (from === to) context.quadraticCurveTo(x1 + 22, (y1 + y2) / 2, x2, y2); else context.lineTo(x2, y2);
    context.stroke();
    if (lost) {
      const size = whole ? 4 : 2;
      this.line(x2 - size, y2 - size, x2 + size, y2 + size);
      this.line(x2 - size, y2 + size, x2 + size, y2 - size);
    } else if (whole && end !== null) {
      const angle = from === to ? Math.PI * 0.8 : Math.atan2(y2 - y1, x2 - x1);
      context.beginPath();
      context.moveTo(x2, y2);
      for (const turn of [-0.32, 0.32]) context.lineTo(x2 - 8 * Math.cos(angle + turn), y2 - 8 * Math.sin(angle + turn));
      context.fill();
    }
  }

  /** What tasks do without the network, as dots on the lanes: one for each pixel. */
  drawLocal() {
    const { context, colours } = this, last = [];
    const from = lowerBound(this.localAt, this.unit(HEAD - 4)), to = lowerBound(this.localAt, this.unit(this.height));
    const size = to - from > DENSE ? 1.2 : 2;
    for (let k = from; k < to; k++) {
      const i = this.local[k], { node, text } = this.data.lines[i];
      const y = Math.round(this.y(this.localAt[k])), hit = this.hits.lines.has(i);
      if (last[node] === y && !hit) continue;
      last[node] = y;
      if (hit) this.dot(node, y, 6, colours.hit);
      this.dot(node, y, size, text.startsWith('fault:') ? colours.warn : colours.soft);
    }
  }

  dot(node, y, radius, colour) {
    this.context.fillStyle = colour;
    this.context.beginPath();
    this.context.arc(this.x(node), y, radius, 0, 7);
    this.context.fill();
  }

  drawChosen() {
    if (!this.chosen) return;
    const { context, colours } = this, { at, node, packet } = this.chosen, y = this.y(this.axis.of(at));
    context.strokeStyle = context.fillStyle = colours.accent;
    context.lineWidth = 1;
    context.globalAlpha = 0.5;
    this.line(LEFT, y, this.width, y);
    context.globalAlpha = 1;
    if (packet !== null) this.drawMarked(packet, colours.chosen);
    if (node === null) return;
    context.strokeStyle = colours.accent;
    context.lineWidth = 2.4;
    context.beginPath();
    context.arc(this.x(node), y, 7, 0, 7);
    context.stroke();
  }

  /** Labels beside the lanes, each as near to its time as those before it let it; `more` counts those without room. */
  labels() {
    const { faults, failure, end } = this.data, labels = [];
    let next = HEAD + 12;
    const place = (at, text, colour) => {
      const y = this.y(this.axis.of(at));
      if (y < HEAD || y > this.height - FOOT) return;
      const last = labels.at(-1);
      const room = next - y <= 34 && next < this.height - FOOT - 8;
      if (last && !room && colour !== this.colours.bad) { last.more.push(text); return; }
      labels.push({ y, at: Math.max(y, next), text, colour, more: [] });
      next = labels.at(-1).at + 17;
    };
    for (const fault of faults) place(fault.at, fault.text, this.colours.ink);
    if (failure) place(end, failure.text.split('\n')[0], this.colours.bad);
    return labels;
  }

  drawLabels() {
    const { context, colours, width } = this, left = width - this.gutter;
    context.font = '12px ' + getComputedStyle(document.body).fontFamily;
    context.textAlign = 'left';
    context.textBaseline = 'middle';
    this.placed = this.labels();
    for (const { y, at, text, colour, more } of this.placed) {
      context.strokeStyle = colour === colours.bad ? colour : colours.faint;
      context.lineWidth = 1;
      this.line(left, y, left + 8, at);
      context.fillStyle = colour;
      const rest = more.length ? `  +${more.length}` : '';
      context.fillText(this.clip(text, this.gutter - 24 - context.measureText(rest).width) + rest, left + 12, at);
    }
    if (this.data.failure) this.drawFailure();
    this.drawBlocked();
  }

  drawFailure() {
    const { context, colours } = this, { node } = this.data.failure, y = this.y(this.axis.end);
    if (y < HEAD || y > this.height) return;
    context.strokeStyle = colours.bad;
    context.lineWidth = 1.5;
    this.line(LEFT, y, this.width - this.gutter, y);
    if (node !== null && this.isSeen(node)) this.dot(node, y, 6, colours.bad);
  }

  drawBlocked() {
    const { context, colours } = this, y = this.y(this.axis.end) + 17;
    const counts = new Map();
    for (const { node, wait } of this.data.blocked) if (wait !== 'running') counts.set(node, (counts.get(node) ?? 0) + 1);
    context.textAlign = 'center';
    context.fillStyle = colours.soft;
    for (const [node, count] of counts) {
      if (node === null || !this.isSeen(node) || y > this.height - FOOT) continue;
      context.fillText(this.clip(`${count} blocked`, this.lane - 4), this.x(node), y);
    }
  }

  drawAxis() {
    const { context, colours } = this;
    const ticks = this.axis.ticks(this.unit(HEAD + 8), this.unit(this.height - FOOT), 46 * this.perPixel);
    const step = Math.min(...ticks.slice(1).map((tick, i) => tick - ticks[i]), 1e9);
    context.font = '12px ' + getComputedStyle(document.documentElement).getPropertyValue('--mono');
    context.textAlign = 'right';
    context.fillStyle = colours.soft;
    context.strokeStyle = colours.rule;
    context.lineWidth = 1;
    for (const tick of ticks) {
      const y = Math.round(this.y(this.axis.of(tick))) + 0.5;
      if (y < HEAD + 6) continue;
      this.line(LEFT - 6, y, LEFT, y);
      context.fillText(seconds(tick, step), LEFT - 11, y);
    }
  }

  drawHead() {
    const { context, colours } = this;
    context.fillStyle = colours.ground;
    context.fillRect(0, 0, this.width, HEAD);
    context.strokeStyle = colours.rule;
    this.line(0, HEAD - 0.5, this.width, HEAD - 0.5);
    context.font = '12px ' + getComputedStyle(document.body).fontFamily;
    context.fillStyle = colours.soft;
    context.textAlign = 'right';
    context.fillText('time, s', LEFT - 11, HEAD / 2);
    context.font = '600 ' + context.font;
    context.fillStyle = colours.ink;
    context.textAlign = 'center';
    const seen = this.data.nodes.map((_, node) => node).filter(node => this.isSeen(node));
    for (const node of seen) context.fillText(this.clipMiddle(this.data.nodes[node], this.lane - 8), this.x(node), HEAD / 2);
    const hidden = this.data.nodes.length - seen.length;
    if (!hidden) return;
    context.fillStyle = colours.soft;
    context.textAlign = 'left';
    context.fillText(`${this.panX > 0 ? '‹ ' : ''}${hidden} more${this.panX < this.overflow ? ' ›' : ''}`, this.width - this.gutter + 12, HEAD / 2);
  }

  /** The ends of `text`, `room` pixels wide: names often differ in their last letters. */
  clipMiddle(text, room) {
    let kept = text.length, short = text;
    while (kept > 2 && this.context.measureText(short).width > room) {
      kept--;
      short = text.slice(0, kept >> 1) + '…' + text.slice(text.length - (kept + 1 >> 1));
    }
    return short;
  }

  /** As much of `text` as is `room` pixels wide. */
  clip(text, room) {
    if (this.context.measureText(text).width <= room) return text;
    let length = Math.max(1, Math.floor(text.length * room / this.context.measureText(text).width) - 1);
    while (length > 1 && this.context.measureText(text.slice(0, length) + '…').width > room) length--;
    return text.slice(0, length) + '…';
  }

  /** What is under the pointer: a node's name, a packet, lines of the trace, a label, or a spell. */
  at(x, y) {
    if (y < HEAD) {
      const node = this.data.nodes.findIndex((_, node) => this.isSeen(node) && Math.abs(this.x(node) - x) < this.lane / 2);
      return node < 0 ? null : { node };
    }
    const node = this.data.nodes.findIndex((_, node) => Math.abs(this.x(node) - x) <= 6);
    if (x >= this.width - this.gutter) {
      const label = this.placed?.find(label => Math.abs(label.at - y) < 9);
      return label ? { label } : null;
    }
    if (node >= 0) {
      const reach = 4 * this.perPixel, unit = this.unit(y);
      const from = lowerBound(this.localAt, unit - reach), to = lowerBound(this.localAt, unit + reach);
      const lines = this.local.slice(from, to).filter(i => this.data.lines[i].node === node);
      if (lines.length) return { lines };
    }
    const packet = this.nearest(x, y);
    if (packet !== null) return { packet };
    const unit = this.unit(y), within = spell => this.axis.of(spell.start) <= unit && unit <= this.axis.of(spell.end);
    const spells = this.data.spells.filter(spell => within(spell) && this.covers(spell, x));
    return spells.length ? { spells } : null;
  }

  covers({ kind, from, to }, x) {
    const near = this.x(from), far = this.x(to);
    if (kind in AILMENTS) return Math.abs(x - near) <= 15;
    if (kind === 'dead' || Math.abs(from - to) !== 1) return Math.abs(x - near) <= 7 || Math.abs(x - far) <= 7;
    return x >= Math.min(near, far) && x <= Math.max(near, far);
  }

  /** The packet nearest to a point, if it is near. */
  nearest(x, y) {
    let best = null, least = 6;
    for (const i of this.seenPackets()) {
      const [x1, y1, x2, y2] = this.segment(i), dx = x2 - x1, dy = y2 - y1, bow = dx === 0 ? 9 : 0;
      const along = Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
      const distance = Math.hypot(x - x1 - along * dx - bow, y - y1 - along * dy);
      if (distance < least) { least = distance; best = i; }
    }
    return best;
  }
}
