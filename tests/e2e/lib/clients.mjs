// Clients of portero: HTTP/1.1, HTTP/2, bare sockets, curl and WebSockets. Each connects to
// 127.0.0.1 and names the site by SNI and Host.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';

import WebSocket from 'ws';

const answerSeconds = 20;

function collect(stream, headers, status) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let trailers = {};
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('trailers', (fields) => (trailers = fields));
    stream.on('error', reject);
    stream.on('aborted', () => reject(new Error('the answer was cut')));
    stream.on('end', () => {
      const body = Buffer.concat(chunks);
      resolve({
        status,
        headers,
        body,
        text: body.toString(),
        get json() {
          return JSON.parse(body);
        },
        trailers: stream.trailers ?? trailers,
      });
    });
  });
}

// One request on an HTTP/2 session of Clients.h2().
export async function h2request(session, headers, body, trailers) {
  const options = { endStream: body === undefined && !trailers, waitForTrailers: !!trailers };
  const stream = session.request({ ':authority': session.site, ...headers }, options);
  if (trailers) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  if (!options.endStream) stream.end(body);
  const [fields] = await Promise.race([
    once(stream, 'response'),
    once(stream, 'close').then(() => {
      throw new Error(`the stream was closed without an answer, code ${stream.rstCode}`);
    }),
  ]);
  return collect(stream, fields, fields[':status']);
}

// A bare socket that speaks the bytes it is told to and reads answers one by one.
export class Wire {
  #buffer = Buffer.alloc(0);
  closed = false;

  constructor(socket) {
    this.socket = socket;
    socket.on('data', (data) => (this.#buffer = Buffer.concat([this.#buffer, data])));
    socket.on('error', () => {});
    socket.on('close', () => (this.closed = true));
    socket.on('end', () => (this.ended = true));
  }

  write(bytes) {
    this.socket.write(bytes);
    return this;
  }

  close() {
    this.socket.destroy();
  }

  // Waits until `take(bytes)` returns a result and the number of bytes that it used up.
  async #take(what, take) {
    const deadline = Date.now() + answerSeconds * 1000;
    for (;;) {
      const taken = take(this.#buffer);
      if (taken) {
        this.#buffer = this.#buffer.subarray(taken.used);
        return taken.result;
      }
      const gone = this.closed || this.ended;
      if (gone || Date.now() > deadline) {
        const got = JSON.stringify(this.#buffer.toString('latin1').slice(0, 500));
        throw new Error(`${gone ? 'closed' : 'nothing'} while waiting for ${what}; got ${got}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  // Reads a head: {status, headers, raw}.
  head() {
    return this.#take('a head', (bytes) => {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return null;
      const raw = bytes.subarray(0, end + 4).toString('latin1');
      const [line, ...fields] = raw.trimEnd().split('\r\n');
      const pairs = fields.map((f) => [f.split(':')[0].toLowerCase(), f.replace(/^[^:]*:\s*/, '')]);
      const status = Number(line.split(' ')[1]);
      const result = { status, headers: Object.fromEntries(pairs), raw };
      return { result, used: end + 4 };
    });
  }

  bytes(count) {
    return this.#take(`${count} bytes`, (bytes) =>
      bytes.length >= count ? { result: bytes.subarray(0, count), used: count } : null);
  }

  line() {
    return this.#take('a line', (bytes) => {
      const end = bytes.indexOf('\r\n');
      return end < 0 ? null : { result: bytes.subarray(0, end).toString('latin1'), used: end + 2 };
    });
  }

  // Reads one whole answer with its body. `method`: of the request (HEAD has no body).
  async answer(method = 'GET') {
    const head = await this.head();
    const chunks = [];
    const { headers } = head;
    const empty = method === 'HEAD' || head.status < 200 || [204, 304].includes(head.status);
    if (!empty && headers['transfer-encoding'] === 'chunked') {
      for (;;) {
        const size = parseInt(await this.line(), 16);
        if (size === 0) break;
        chunks.push(await this.bytes(size));
        await this.line();
      }
      head.trailers = [];
      for (let line; (line = await this.line()) !== '';) head.trailers.push(line);
    } else if (!empty && headers['content-length'] !== undefined) {
      chunks.push(await this.bytes(Number(headers['content-length'])));
    } else if (!empty) {
      chunks.push(await this.rest());
    }
    return { ...head, body: Buffer.concat(chunks), text: Buffer.concat(chunks).toString('latin1') };
  }

  // Everything until the peer closes.
  async rest(seconds = answerSeconds) {
    const deadline = Date.now() + seconds * 1000;
    while (!this.closed && !this.ended) {
      if (Date.now() > deadline) throw new Error('the connection was not closed');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const all = this.#buffer;
    this.#buffer = Buffer.alloc(0);
    return all;
  }
}

// A WebSocket whose messages can be awaited one by one.
export class WebSocketClient {
  #messages = [];
  #waiting = [];

  constructor(socket) {
    this.socket = socket;
    socket.on('message', (data, isBinary) => {
      const message = isBinary ? data : data.toString();
      const waiting = this.#waiting.shift();
      if (waiting) waiting(message);
      else this.#messages.push(message);
    });
    socket.on('error', (error) => (this.error = error));
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  async opened() {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, 'open');
    return this;
  }

  send(message) {
    this.socket.send(typeof message === 'object' && !Buffer.isBuffer(message)
      ? JSON.stringify(message) : message);
  }

  next() {
    if (this.#messages.length) return Promise.resolve(this.#messages.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async nextJson() {
    return JSON.parse(await this.next());
  }

  close() {
    this.socket.terminate();
  }
}

// Speaks WebSocket frames over a stream that is already upgraded (RFC 8441).
export function websocketOver(stream) {
  const socket = new WebSocket(null, undefined, {});
  socket._isServer = false;
  socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 1 << 20, skipUTF8Validation: false });
  return new WebSocketClient(socket);
}

export class Clients {
  #open = new Set();

  track(closable) {
    this.#open.add(closable);
    return closable;
  }

  closeClients() {
    for (const one of this.#open) (one.destroy ?? one.close).call(one);
    this.#open.clear();
  }

  // One HTTP/1.1 request: get('/x', {host, method, headers, body, tls, agent}).
  async get(target, { host = 'localhost', tls: secure = true, body, ...options } = {}) {
    const request = (secure ? https : http).request({
      host: '127.0.0.1',
      port: secure ? this.httpsPort : this.httpPort,
      path: target,
      setHost: false,
      agent: false,
      ...(secure && { servername: host, ca: this.ca }),
      ...options,
      headers: { Host: host, ...options.headers },
    });
    const answered = once(request, 'response');
    request.setTimeout(answerSeconds * 1000, () => request.destroy(new Error('no answer')));
    if (body?.pipe) body.pipe(request);
    else request.end(body);
    const [response] = await answered;
    return collect(response, response.headers, response.statusCode);
  }

  keepAliveAgent(secure = true) {
    return this.track(new (secure ? https : http).Agent({ keepAlive: true, maxSockets: 1 }));
  }

  // An HTTP/2 session to a site, once the server's settings are there.
  async h2(host = 'localhost', options = {}) {
    const session = http2.connect(`https://127.0.0.1:${this.httpsPort}`, {
      servername: host, ca: this.ca, ...options,
    });
    session.site = host;
    session.on('error', () => {});
    this.track(session);
    await once(session, 'remoteSettings');
    return session;
  }

  async wire({ host = 'localhost', tls: secure = false, port, ...options } = {}) {
    const socket = secure
      ? tls.connect({ port: port ?? this.httpsPort, host: '127.0.0.1', servername: host,
                      ca: this.ca, ALPNProtocols: ['http/1.1'], ...options })
      : net.connect({ port: port ?? this.httpPort, host: '127.0.0.1', ...options });
    const wire = this.track(new Wire(socket));
    await once(socket, secure ? 'secureConnect' : 'connect');
    return wire;
  }

  async websocket(target, { host = 'localhost', tls: secure = true, port, ...options } = {}) {
    const at = `127.0.0.1:${port ?? (secure ? this.httpsPort : this.httpPort)}`;
    const client = new WebSocketClient(new WebSocket(`${secure ? 'wss' : 'ws'}://${at}${target}`, {
      ...(secure && { servername: host, ca: this.ca }),
      ...options,
      headers: { Host: host, ...options.headers },
    }));
    this.track(client);
    return client.opened();
  }

  // Runs curl against a site; returns {code, stdout, stderr}. `{url}` in args: the site's address.
  async curl(args, { host = 'localhost' } = {}) {
    const child = spawn('curl', [
      '--silent', '--show-error', '--max-time', `${answerSeconds}`,
      '--cacert', path.join(this.storage, 'internal/root.crt'),
      '--resolve', `${host}:${this.httpsPort}:127.0.0.1`,
      '--resolve', `${host}:${this.httpPort}:127.0.0.1`,
      ...args,
    ]);
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (data) => (output.stdout += data));
    child.stderr.on('data', (data) => (output.stderr += data));
    const [code] = await once(child, 'close');
    return { code, ...output };
  }

  url(target, host = 'localhost') {
    return `https://${host}:${this.httpsPort}${target}`;
  }
}
