// RFC 6455 from the wire, continued: Close frames and codes, lengths, masks, abrupt ends. The
// numbers are those of the groups of the Autobahn test suite.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { waitFor } from '../harness.mjs';
import { A, counted, sharedHub } from './fixture.mjs';
import { closing, frame, op, RawSocket } from './raw_socket.mjs';

const hub = sharedHub();
afterEach(() => hub.closeClients());

const open = (app = A, options = {}) => RawSocket.open(hub.edge, app, options);
const pingMessage = '{"event":"pusher:ping"}';

async function expectViolation(code, what, ...frames) {
  const socket = await open();
  await socket.send(...frames).expectClosed(code, what);
}

test('7 a Close is echoed with its code, whatever comes behind it is not read', async () => {
  for (const options of [{}, { tls: true }]) {
    const socket = await open(A, options);
    socket.send(frame(op.text, pingMessage), frame(op.close, closing(1000, 'done')),
                frame(op.text, pingMessage), frame(op.ping));
    await socket.expectMessageAnswered();
    await socket.expectClosed(1000, 'a Close');
  }
  const socket = await open();
  await socket.send(frame(op.close)).expectClosed(null, 'a Close without a code');
  const cut = await open();
  cut.send(frame(op.text, pingMessage.slice(0, 9), { fin: false }), frame(op.close, closing(1001)));
  await cut.expectClosed(1001, 'a Close within a message');
});

test('7 every code that may be sent is echoed', async () => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
                      3000, 3999, 4000, 4200, 4999]) {
    const socket = await open();
    socket.send(frame(op.close, closing(code, 'x'.repeat(123))));
    await socket.expectClosed(code, `${code}`);
  }
});

test('7 a code that may not be sent, half a code or too long a reason: 1002', async () => {
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) {
    await expectViolation(1002, `${code}`, frame(op.close, closing(code)));
  }
  await expectViolation(1002, 'one byte', frame(op.close, Buffer.from([3])));
  const long = closing(1000, 'x'.repeat(124));
  await expectViolation(1002, '124 bytes of reason', frame(op.close, long));
});

test('7 a reason that is no UTF-8: 1007', async () => {
  const bad = Buffer.concat([closing(1000), Buffer.from('cebae1bdb9cf83eda080', 'hex')]);
  await expectViolation(1007, 'a reason', frame(op.close, bad));
});

test('a frame without a mask: 1002, whatever it carries', async () => {
  for (const [opcode, payload] of [[op.text, pingMessage], [op.ping, ''], [op.pong, ''],
                                   [op.close, closing(1000)]]) {
    await expectViolation(1002, `opcode ${opcode}`, frame(opcode, payload, { masked: false }));
  }
});

test('a length that is not in its shortest form, or above 2^63: 1002', async () => {
  const text = (length) => frame(op.text, pingMessage, { length });
  const value = pingMessage.length;
  await expectViolation(1002, '2 bytes for a short length', text({ bytes: 2, value }));
  await expectViolation(1002, '8 bytes for a short length', text({ bytes: 8, value }));
  await expectViolation(1002, '8 bytes for 65535', text({ bytes: 8, value: 65_535 }));
  await expectViolation(1002, '2^63', text({ bytes: 8, value: 2n ** 63n }));
});

test('9 a length over the limit: 1009 by the header alone', async () => {
  for (const value of [10_001, 65_536, 2 ** 32, 2n ** 63n - 1n]) {
    const form = value < 65_536 ? 2 : 8;
    const header = frame(op.text, '', { length: { bytes: form, value } });
    await expectViolation(1009, `${value}`, header);
  }
  const socket = await open();
  const half = 'x'.repeat(5_000);
  socket.send(frame(op.text, half, { fin: false }), frame(op.ping, 'p'));
  await socket.expectPong('p');
  await socket.send(frame(op.continuation, `${half}x`)).expectClosed(1009, 'a sum');
});

test('a flood of empty fragments ends with a Close', async () => {
  const socket = await open();
  const flood = Buffer.concat(Array(1000).fill(frame(op.continuation, '', { fin: false })));
  socket.send(frame(op.text, '', { fin: false }), flood);
  const { opcode } = await socket.next();
  assert.equal(opcode, op.close);
});

test('however a socket ends, nothing of it is left', { timeout: 60_000 }, async () => {
  const subscribe = JSON.stringify({ event: 'pusher:subscribe', data: { channel: 'c' } });
  const reset = (socket) => {  // over TLS node can only end abruptly, without close_notify
    if (socket.wire.socket.encrypted) socket.wire.socket.destroy();
    else socket.wire.socket.resetAndDestroy();
  };
  const ends = {
    Close: (socket) => socket.send(frame(op.close, closing(1000))),
    FIN: (socket) => socket.wire.socket.end(),
    RST: reset,
    'FIN in a frame': (socket) => socket.wire.socket.end(frame(op.text, 'half').subarray(0, 3)),
    'a violation, then FIN': (socket) => socket.wire.socket.end(frame(3)),
    'a violation, then nothing': (socket) => socket.send(frame(3)),
    'a message, then RST': (socket) => {
      socket.send(frame(op.text, pingMessage));
      reset(socket);
    },
  };
  const count = async () => (await hub.api(counted).get('/connections')).json.connections;
  for (const tls of [false, true]) {
    for (const [what, end] of Object.entries(ends)) {
      const sockets = await Promise.all(Array.from({ length: 10 }, () => open(counted, { tls })));
      for (const socket of sockets) {
        await socket.send(frame(op.text, subscribe)).next();
        end(socket);
      }
      await waitFor(`sockets to be gone after ${what}`, async () => (await count()) === 0);
      for (const socket of sockets) socket.wire.close();
    }
  }
  assert.deepEqual((await hub.api(counted).get('/channels')).json, { channels: {} });
});
