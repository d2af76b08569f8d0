// A client of the Pusher protocol that hides nothing: every frame in its order, every close code.
// On top of `ws`, whose sender can also be told to break the rules of WebSocket.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';

import WebSocket from 'ws';

import { within } from '../harness.mjs';

export const seconds = 8;  // the bound of every wait for the server

export const hmac = (secret, text) => createHmac('sha256', secret).update(text).digest('hex');

// What an application's auth endpoint answers.
export function channelAuth({ key, secret }, socketId, channel, channelData) {
  const text = [socketId, channel, ...(channelData === undefined ? [] : [channelData])].join(':');
  return `${key}:${hmac(secret, text)}`;
}

const parsedOrText = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

// A frame with its `data` decoded once more when it is a string; `raw` is what arrived.
function decodeFrame(text) {
  const raw = JSON.parse(text);
  const data = typeof raw.data === 'string' ? parsedOrText(raw.data) : raw.data;
  return { ...raw, data, raw };
}

export class PusherClient {
  #frames = [];
  #waiting = null;
  pings = 0;

  constructor(port, app, { query = '?protocol=7&client=js&version=8.6.0&flash=false', path = '/app',
                           host = 'localhost', headers = {}, protocols = [], ...options } = {}) {
    this.app = app;
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}/${app.key}${query}`, protocols,
                                { headers: { Host: host, ...headers }, ...options });
    this.socket.on('message', (data) => {
      this.#frames.push(decodeFrame(data.toString()));
      this.#waiting?.();
    });
    this.socket.on('error', (error) => (this.error = error));
    this.socket.on('ping', () => {
      this.pings += 1;
      this.#waiting?.();
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#waiting?.();
      });
    });
  }

  get isOpen() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  // Waits for the greeting and keeps the socket id.
  async greeting() {
    const frame = await this.expect('pusher:connection_established');
    this.id = frame.data.socket_id;
    return frame;
  }

  send(message, options = {}) {
    const text = typeof message === 'string' || Buffer.isBuffer(message)
      ? message : JSON.stringify(message);
    this.socket.send(text, options);
  }

  // The next frame, whatever it is.
  async next(what = 'a frame') {
    await this.#until(what, () => this.#frames.length > 0 || this.error || !this.#isAlive());
    const frame = this.#frames.shift();
    if (!frame) throw new Error(`closed while waiting for ${what}: ${this.error ?? ''}`);
    return frame;
  }

  // The next frame must be this event (and on this channel, with this data, if given).
  async expect(event, { channel, data } = {}) {
    const frame = await this.next(event);
    assert.equal(frame.event, event, `instead of ${event}: ${JSON.stringify(frame.raw)}`);
    if (channel !== undefined) assert.equal(frame.channel, channel);
    if (data !== undefined) assert.deepEqual(frame.data, data);
    return frame;
  }

  // The next frame must be pusher:error with this code, as an object (Swift drops a string).
  async expectError(code, text) {
    const frame = await this.expect('pusher:error');
    assert.equal(typeof frame.raw.data, 'object', 'data of pusher:error must be an object');
    assert.equal(frame.data.code, code, JSON.stringify(frame.raw));
    if (text) assert.match(frame.data.message, text);
    return frame;
  }

  // A refused subscription: pusher:error 4009 and the frame that Echo's error() gets.
  async expectUnauthorized(channel, text) {
    await this.expectError(4009, text);
    const frame = await this.expect('pusher:subscription_error', { channel });
    assert.equal(frame.data.status, 401);
    return frame;
  }

  // Everything that the server answers to a ping has arrived before the pong: what is asked for
  // on this socket has been done, and nothing else was said.
  async expectSilence() {
    this.send({ event: 'pusher:ping', data: {} });
    await this.expect('pusher:pong');
  }

  async expectClose(code) {
    const closed = await within(`Close ${code}`, this.closed, seconds);
    assert.equal(closed.code, code, `closed with ${closed.code} ${closed.reason}`);
    return closed;
  }

  // Subscribes and waits for the success; signs what needs to be signed.
  async subscribe(channel, options = {}) {
    this.requestSubscription(channel, options);
    const frame = await this.expect('pusher_internal:subscription_succeeded', { channel });
    assert.equal(typeof frame.raw.data, 'string', 'data must be a string');
    return frame;
  }

  requestSubscription(channel, { auth, channelData, member, data = {} } = {}) {
    const signed = member === undefined ? channelData : JSON.stringify(member);
    const needsAuth = /^(private|presence)-/.test(channel);
    this.send({
      event: 'pusher:subscribe',
      data: {
        channel,
        ...(needsAuth && { auth: channelAuth(this.app, this.id, channel, signed) }),
        ...(auth !== undefined && { auth }),
        ...(signed !== undefined && { channel_data: signed }),
        ...data,
      },
    });
  }

  unsubscribe(channel) {
    this.send({ event: 'pusher:unsubscribe', data: { channel } });
  }

  async waitForPings(count) {
    await this.#until(`${count} pings`, () => this.pings >= count || !this.#isAlive());
    assert.ok(this.pings >= count, `closed after ${this.pings} pings`);
  }

  // Sends a PING frame and returns the payload of the PONG.
  async ping(payload) {
    this.socket.ping(payload);
    const [answer] = await within('a PONG', once(this.socket, 'pong'), seconds);
    return answer.toString();
  }

  close(code = 1000, reason = '') {
    this.socket.close(code, reason);
  }

  terminate() {
    this.socket.terminate();
  }

  #isAlive() {
    return this.socket.readyState <= WebSocket.OPEN;
  }

  async #until(what, condition) {
    const deadline = Date.now() + seconds * 1000;
    while (!condition()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`waited ${seconds} s in vain for ${what}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting = () => (clearTimeout(timer), resolve());
      });
      this.#waiting = null;
    }
  }
}
