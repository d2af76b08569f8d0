// A WebSocket client that sends any frame, right or wrong, in any pieces, and shows every frame of
// the server. On a bare TCP connection.
import assert from 'node:assert/strict';

import { within } from '../harness.mjs';

export const op = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

// A frame of a client. `length` may lie about the payload's length or its form ({bytes, value}).
export function frame(opcode, payload = '', { fin = true, rsv = 0, masked = true, length } = {}) {
  const body = Buffer.from(payload);
  const size = length?.value ?? body.length;
  const form = length?.bytes ?? (size < 126 ? 0 : size < 65_536 ? 2 : 8);
  const head = Buffer.alloc(2 + form);
  head[0] = (fin ? 0x80 : 0) | rsv << 4 | opcode;
  head[1] = (masked ? 0x80 : 0) | (form === 0 ? size : form === 2 ? 126 : 127);
  if (form === 2) head.writeUInt16BE(size, 2);
  if (form === 8) head.writeBigUInt64BE(BigInt(size), 2);
  if (!masked) return Buffer.concat([head, body]);
  const key = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
  return Buffer.concat([head, key, body.map((byte, i) => byte ^ key[i & 3])]);
}

// The payload of a Close frame.
export const closing = (code, reason = '') => {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
};

export class RawSocket {
  // Opens a socket of an app and takes its greeting.
  static async open(edge, app, options) {
    const socket = new RawSocket();
    socket.wire = await edge.wire(options);
    socket.wire.socket.setNoDelay(true);
    socket.wire.write(`GET /app/${app.key} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n` +
                      'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
                      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
    assert.equal((await socket.wire.head()).status, 101);
    assert.match((await socket.next()).text, /connection_established/);
    return socket;
  }

  send(...frames) {
    this.wire.write(Buffer.concat(frames));
    return this;
  }

  // Sends bytes one by one, or in pieces of `size`.
  async sendChopped(bytes, size = 1) {
    for (let at = 0; at < bytes.length; at += size) {
      await new Promise((done) => this.wire.socket.write(bytes.subarray(at, at + size), done));
    }
  }

  // The server's next frame; it must be whole, unmasked and in its shortest form.
  async next() {
    const head = await this.wire.bytes(2);
    assert.equal(head[0] & 0x70, 0, 'a reserved bit is set');
    assert.ok(head[0] & 0x80, 'a fragment');
    assert.equal(head[1] & 0x80, 0, 'a server does not mask');
    let length = head[1];
    if (length === 126) length = (await this.wire.bytes(2)).readUInt16BE();
    else if (length === 127) length = Number((await this.wire.bytes(8)).readBigUInt64BE());
    const payload = Buffer.from(await this.wire.bytes(length));
    return { opcode: head[0] & 0x0f, payload, text: payload.toString() };
  }

  async expectPong(payload) {
    const { opcode, payload: echoed } = await this.next();
    assert.equal(opcode, op.pong);
    assert.deepEqual(echoed, Buffer.from(payload));
  }

  // The server has understood a whole `pusher:ping` message.
  async expectMessageAnswered() {
    assert.match((await this.next()).text, /"pusher:pong"/);
  }

  // What was sent so far has been read and answered by nothing.
  async expectAlive() {
    this.send(frame(op.ping, 'alive'));
    await this.expectPong('alive');
  }

  // The server's Close comes next, then its end of the connection. `code` null: one without a code.
  async expectClosed(code, what = '') {
    const { opcode, payload } = await this.next();
    assert.equal(opcode, op.close, `${what}: ${payload}`);
    assert.equal(payload.length >= 2 ? payload.readUInt16BE() : null, code, what);
    const left = await within(`the end after ${what}`, this.wire.rest());
    assert.equal(left.length, 0, `${what}: bytes behind the Close`);
    this.wire.close();
  }
}
