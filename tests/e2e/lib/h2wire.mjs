// HTTP/2 frame by frame, so that a test can say what no client library would.
import { once } from 'node:events';
import tls from 'node:tls';

export const frameType = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, ping: 6,
                           goaway: 7, windowUpdate: 8, continuation: 9 };
export const flag = { endStream: 1, ack: 1, endHeaders: 4 };

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function text(value) {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

// A header block of literals that are not indexed. Source: RFC 7541 §6.2.2.
export const block = (fields) =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));

export const requestFields = (target = '/', ...more) => [
  [':method', 'GET'], [':scheme', 'https'], [':authority', 'localhost'], [':path', target], ...more,
];

export class H2Wire {
  #buffer = Buffer.alloc(0);
  #outcomes = new Map();  // by stream
  closed = false;

  constructor(socket) {
    this.socket = socket;
    socket.on('data', (data) => this.#read(data));
    socket.on('error', () => {});
    socket.on('close', () => (this.closed = true));
    socket.on('end', () => (this.closed = true));
    this.write(preface, frame(frameType.settings, 0, 0));
  }

  static async connect(edge, host = 'localhost') {
    const socket = tls.connect({ port: edge.httpsPort, host: '127.0.0.1', servername: host,
                                 ca: edge.ca, ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    return edge.track(new H2Wire(socket));
  }

  #read(data) {
    this.#buffer = Buffer.concat([this.#buffer, data]);
    while (this.#buffer.length >= 9) {
      const length = this.#buffer.readUIntBE(0, 3);
      if (this.#buffer.length < 9 + length) return;
      const [type, flags] = this.#buffer.subarray(3, 5);
      const stream = this.#buffer.readUInt32BE(5);
      const payload = this.#buffer.subarray(9, 9 + length);
      this.#buffer = this.#buffer.subarray(9 + length);
      this.#note(type, flags, stream, payload);
    }
  }

  #note(type, flags, stream, payload) {
    if (type === frameType.settings && !(flags & flag.ack)) {
      this.write(frame(frameType.settings, flag.ack, 0));
    }
    if (type === frameType.goaway && payload.readUInt32BE(4) !== 0) {
      this.goaway = payload.readUInt32BE(4);
    }
    if (this.#outcomes.has(stream)) return;
    if (type === frameType.reset) this.#outcomes.set(stream, { reset: payload.readUInt32BE(0) });
    if (type === frameType.headers) {
      this.#outcomes.set(stream, { answered: payload.includes(0x88) });
    }
  }

  write(...frames) {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames));
    return this;
  }

  request(stream, fields, flags = flag.endStream | flag.endHeaders) {
    return this.write(frame(frameType.headers, flags, stream, block(fields)));
  }

  close() {
    this.socket.destroy();
  }

  // What became of a stream: {reset: code}, {goaway: code}, {closed: true} or {answered: ok}.
  // `ok`: whether the status is the static table's 200.
  async outcome(stream, seconds = 10) {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      if (this.goaway) return { goaway: this.goaway };
      if (this.#outcomes.has(stream)) return this.#outcomes.get(stream);
      if (this.closed) return { closed: true };
      if (Date.now() > deadline) throw new Error(`nothing became of stream ${stream}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
