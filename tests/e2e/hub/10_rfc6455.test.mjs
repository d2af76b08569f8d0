// RFC 6455 from the wire, case by case: framing, control frames, reserved bits and opcodes,
// fragments, UTF-8, Close. The numbers are those of the groups of the Autobahn test suite.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { sharedHub } from './fixture.mjs';
import { frame, op, RawSocket } from './raw_socket.mjs';

const app = { id: 'wire', key: 'wire-key', secret: 'wire-secret', settings: {} };
const hub = sharedHub((listen) => `
hub:
  listen: 127.0.0.1:${listen}
  apps:
    wire: {key: ${app.key}, secret: ${app.secret}, max_message_size: 1MB, client_events: all}
sites:
  http://localhost: {hub: true}
  localhost: {hub: true}
`);
afterEach(() => hub.closeClients());

const open = (options) => RawSocket.open(hub.edge, app, options);
const pingMessage = '{"event":"pusher:ping"}';
// A message of exactly `size` bytes that is answered.
const sized = (size) => pingMessage.slice(0, -1) + ' '.repeat(size - pingMessage.length) + '}';

// Sends frames that break the rules on a socket of their own.
async function expectViolation(code, what, ...frames) {
  const socket = await open();
  await socket.send(...frames).expectClosed(code, what);
}

test('1 text and binary messages of every length form', async () => {
  const socket = await open();
  for (const size of [23, 125, 126, 127, 128, 65_535, 65_536, 1_000_000]) {
    for (const opcode of [op.text, op.binary]) {
      socket.send(frame(opcode, sized(size)));
      await socket.expectMessageAnswered();
    }
  }
  socket.send(frame(op.text));
  assert.match((await socket.next()).text, /4200/, 'an empty message is no JSON');
  socket.send(frame(op.text, sized(65_536)), frame(op.ping, 'behind'));
  await socket.expectMessageAnswered();
  await socket.expectPong('behind');
});

test('1 frames in pieces of any size, also over TLS', async () => {
  for (const options of [{}, { tls: true }]) {
    const socket = await open(options);
    await socket.sendChopped(Buffer.concat([frame(op.text, sized(200)), frame(op.ping, 'p')]));
    await socket.expectMessageAnswered();
    await socket.expectPong('p');
    await socket.sendChopped(frame(op.binary, sized(70_000)), 997);
    await socket.expectMessageAnswered();
    socket.wire.close();
  }
});

test('2 PING is answered with its payload, PONG by nothing', async () => {
  const socket = await open();
  for (const payload of ['', 'Hello', Buffer.from([0, 255, 254, 253]), 'x'.repeat(125)]) {
    socket.send(frame(op.ping, payload));
    await socket.expectPong(payload);
  }
  await socket.sendChopped(frame(op.ping, 'x'.repeat(125)));
  await socket.expectPong('x'.repeat(125));
  socket.send(frame(op.pong), frame(op.pong, 'unasked'), frame(op.ping, 'a'), frame(op.ping, 'b'));
  for (const payload of ['a', 'b']) await socket.expectPong(payload);
});

test('2 control frames over 125 bytes or in fragments: 1002', async () => {
  for (const opcode of [op.ping, op.pong, op.close]) {
    await expectViolation(1002, `126 bytes of ${opcode}`, frame(opcode, 'x'.repeat(126)));
    await expectViolation(1002, `a part of ${opcode}`, frame(opcode, '', { fin: false }));
  }
});

test('3 and 4 reserved bits and opcodes: 1002, what came before is answered', async () => {
  for (const opcode of [op.text, op.ping, op.close]) {
    for (let rsv = 1; rsv < 8; rsv += 1) {
      await expectViolation(1002, `rsv ${rsv} on ${opcode}`, frame(opcode, '', { rsv }));
    }
  }
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    const socket = await open();
    socket.send(frame(op.text, pingMessage), frame(opcode, 'x'), frame(op.ping));
    await socket.expectMessageAnswered();
    await socket.expectClosed(1002, `opcode ${opcode}`);
  }
});

test('5 fragments make one message, control frames may stand between', async () => {
  const socket = await open();
  const parts = [pingMessage.slice(0, 5), '', pingMessage.slice(5, 20), pingMessage.slice(20)];
  const frames = parts.map((part, i) =>
    frame(i === 0 ? op.text : op.continuation, part, { fin: i === parts.length - 1 }));
  socket.send(...frames);
  await socket.expectMessageAnswered();
  for (const part of frames) {
    socket.send(part, frame(op.ping, 'between'));
    if (part === frames.at(-1)) await socket.expectMessageAnswered();
    await socket.expectPong('between');
  }
  await socket.sendChopped(Buffer.concat(frames));
  await socket.expectMessageAnswered();
});

test('5 fragments out of order: 1002', async () => {
  const part = (opcode, fin) => frame(opcode, 'x', { fin });
  await expectViolation(1002, 'a continuation of nothing', part(op.continuation, true));
  await expectViolation(1002, 'a first part of nothing', part(op.continuation, false));
  for (const opcode of [op.text, op.binary]) {
    await expectViolation(1002, 'a message within one', part(op.text, false), part(opcode, true));
  }
  const socket = await open();
  socket.send(frame(op.text, pingMessage.slice(0, 9), { fin: false }),
              frame(op.continuation, pingMessage.slice(9)), part(op.continuation, true));
  await socket.expectMessageAnswered();
  await socket.expectClosed(1002, 'a part too many');
});

test('6 UTF-8 arrives unharmed, whole and cut inside a character', async () => {
  const text = 'κόσμε \u{10ffff}\ufffd\u{1f600} \u0080\ud7ff\ue000 ñ';
  const message = Buffer.from(JSON.stringify({ event: 'client-x', channel: 'c', data: text }));
  const reader = await hub.connect(app);
  await reader.subscribe('c');
  const socket = await open();
  const subscribe = { event: 'pusher:subscribe', data: { channel: 'c' } };
  socket.send(frame(op.text, JSON.stringify(subscribe)));
  assert.match((await socket.next()).text, /succeeded/);
  const cuts = Array.from(message.keys()).filter((i) => message[i] >= 0x80);
  socket.send(frame(op.text, message), ...cuts.flatMap((cut) => [
    frame(op.text, message.subarray(0, cut), { fin: false }),
    frame(op.continuation, message.subarray(cut))]));
  for (let i = 0; i <= cuts.length; i += 1) {
    assert.equal((await reader.expect('client-x')).raw.data, text);
  }
});

test('6 text that is no UTF-8: 1007, whole or across fragments', async () => {
  const bad = ['80', 'bf', 'c0af', 'c1bf', 'c3', 'e080af', 'eda080', 'edbfbf', 'f08080af',
               'f4908080', 'f8888080af', 'fe', 'ff', 'e28228',
               'cebae1bdb9cf83cebcceb5eda080656469746564'];
  for (const hex of bad) {
    const bytes = Buffer.from(`2268${hex}22`, 'hex');
    await expectViolation(1007, hex, frame(op.text, bytes));
    await expectViolation(1007, `${hex} in parts`, frame(op.text, bytes.subarray(0, 3),
                          { fin: false }), frame(op.continuation, bytes.subarray(3)));
  }
  const socket = await open();
  socket.send(frame(op.binary, Buffer.from('ff', 'hex')));
  assert.match((await socket.next()).text, /4200/, 'binary is not checked, but it is no JSON');
});
