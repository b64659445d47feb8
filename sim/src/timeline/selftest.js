// With #selftest the page tries itself and writes what it found into the document: `ci/page.sh` reads it.

function selftest() {
  const failed = [], expect = (claim, holds) => { if (!holds) failed.push(claim); };
  const canvas = $('canvas'), { left, top } = canvas.getBoundingClientRect();
  picture.fit();
  expectMarks(expect);
  const i = data.packets.findIndex(packet => firstLine.has(packet.id) && packet.from !== packet.to && !packet.lost && packet.end !== null && picture.shown.has(packet.kind));
  choosePacket(i);
  while (picture.perPixel > picture.axis.finest && picture.segment(i)[3] - picture.segment(i)[1] < 80) picture.zoom(0.7);
  picture.reveal(picture.sent[i], null);
  const [x1, y1, x2, y2] = picture.segment(i);
  const pointer = (x, y) => canvas.dispatchEvent(new PointerEvent('pointermove', { clientX: left + x, clientY: top + y }));
  pointer((x1 + x2) / 2, (y1 + y2) / 2);
  expect('hover shows the packet', !$('tip').hidden && $('tip').textContent.startsWith(`packet ${data.packets[i].id}:`));
  pointer(2, 2);
  expect('hover elsewhere hides it', $('tip').hidden);
  click((x1 + x2) / 2, (y1 + y2) / 2);
  expect('a click shows the row', +document.querySelector('.row.chosen')?.dataset.line === firstLine.get(data.packets[i].id));
  $('rows').scrollTop = 0;
  showRows();
  $('seen').children[1].click();
  expect('a row shows its place', chosenLine === 1 && picture.chosen.at === data.lines[1].at);
  expect('few rows are in the document', $('seen').children.length < 150);
  $('query').value = data.nodes[1];
  $('query').dispatchEvent(new Event('input'));
  expect('search finds a node', hits.length > 0);
  $('next').click();
  expect('the next hit is chosen', hit === 0 && $('hits').textContent.startsWith('1 of '));
  $('query').value = '';
  search();
  const before = picture.perPixel;
  canvas.dispatchEvent(new WheelEvent('wheel', { deltaY: -240, clientX: left + 200, clientY: top + 200, cancelable: true }));
  expect('the wheel zooms', picture.perPixel < before || before <= picture.axis.finest);
  canvas.dispatchEvent(new KeyboardEvent('keydown', { key: '0' }));
  expect('0 shows the whole run', picture.perPixel * 2 === picture.widest);
  expect('a name makes no element', document.scripts.length === 2 && document.querySelectorAll('b').length === 1);
  const frames = { fitted: frame(0), zoomed: frame(6) };
  const result = { packets: data.packets.length, lines: data.lines.length, milliseconds_per_frame: frames, failed };
  document.body.append(Object.assign(document.createElement('pre'), { id: 'selftest', hidden: true, textContent: JSON.stringify(result) }));
}

/** What must be seen in the picture of the whole run. */
function expectMarks(expect) {
  const drawn = name => {
    let count = 0;
    picture[name] = function (...all) { count++; return Picture.prototype[name].apply(this, all); };
    picture.draw();
    delete picture[name];
    return count;
  };
  const restarts = data.spells.filter(spell => spell.kind === 'dead' && spell.end < data.end).length;
  expect('restarts are marked', drawn('drawRestart') === restarts);
  expect('ailments are shaded', drawn('drawAilment') === data.spells.filter(spell => spell.kind in AILMENTS).length);
  expect('the failure is marked', drawn('drawFailure') === (data.failure ? 1 : 0));
  const shown = data.packets.filter(packet => picture.shown.has(packet.kind)).length;
  expect('packets are drawn', shown > DENSE ? drawn('drawPacket') > DENSE / 2 : drawn('drawPacket') === shown);
  expect('lost packets are cut short', data.packets.every(({ lost, from, to }, i) => !lost || from === to ||
    Math.abs(picture.segment(i)[2] - picture.x(to)) > 0.3 * picture.lane));
}

/** The median time of a frame in milliseconds, painting included, after zooming in so often. */
function frame(zooms) {
  picture.fit();
  for (let k = 0; k < zooms; k++) picture.zoom(0.5);
  const times = [];
  for (let k = 0; k < 15; k++) {
    const start = performance.now();
    picture.pan(0, 1);
    picture.draw();
    picture.context.getImageData(0, 0, 1, 1);
    times.push(performance.now() - start);
  }
  return +times.sort((a, b) => a - b)[7].toFixed(1);
}

if (location.hash === '#selftest') selftest();
