// The HTTP API as an application's server speaks it, with every part of a request in the hands of
// the test: what is signed, what is sent, when.
import { createHash } from 'node:crypto';
import http from 'node:http';

import { within } from '../harness.mjs';
import { hmac, seconds } from './pusher_client.mjs';

const md5 = (text) => createHash('md5').update(text).digest('hex');

export class ApiClient {
  // `at`: {port, host (the Host field), prefix (before /apps)}.
  constructor(at, app) {
    this.at = { host: 'localhost', prefix: '', ...at };
    this.app = app;
  }

  // The target of a signed request. `change` may alter the parameters before they are signed.
  sign(method, path, { body = '', query = {}, change = {}, signedPath } = {}) {
    const parameters = {
      auth_key: this.app.key,
      auth_timestamp: Math.floor(Date.now() / 1000),
      auth_version: '1.0',
      ...(body !== '' && { body_md5: md5(body) }),
      ...query,
      ...change,
    };
    const names = Object.keys(parameters).filter((name) => parameters[name] !== null).sort();
    const text = names.map((name) => `${name.toLowerCase()}=${parameters[name]}`).join('&');
    const whole = `/apps/${this.app.id}${path}`;
    const signature = hmac(this.app.secret, `${method}\n${signedPath ?? whole}\n${text}`);
    const sent = names.map((name) => `${name}=${encodeURIComponent(parameters[name])}`).join('&');
    return `${this.at.prefix}${whole}?${sent}&auth_signature=${signature}`;
  }

  // A signed request; returns {status, headers, text, json}.
  request(method, path, options = {}) {
    const body = typeof options.body === 'object' ? JSON.stringify(options.body)
      : options.body ?? '';
    return this.send(method, this.sign(method, path, { ...options, body }), {
      ...options, body: options.sentBody ?? body });
  }

  // Sends any target.
  async send(method, target, { body = '', headers = {}, agent = false } = {}) {
    const request = http.request({
      host: '127.0.0.1', port: this.at.port, method, path: target, agent, setHost: false,
      headers: {
        Host: this.at.host,
        ...(body !== '' && { 'Content-Type': 'application/json',
                             'Content-Length': Buffer.byteLength(body) }),
        ...headers,
      },
    });
    const answer = new Promise((resolve, reject) => {
      request.on('error', reject);
      request.on('response', (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve({
          status: response.statusCode,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
          get json() {
            return JSON.parse(this.text);
          },
        }));
      });
    });
    request.end(body);
    return within(`${method} ${target}`, answer, seconds);
  }

  get(path, options) {
    return this.request('GET', path, options);
  }

  post(path, body, options) {
    return this.request('POST', path, { ...options, body });
  }

  // Publishes; fails unless the answer is 200.
  async publish(channels, name, data, more = {}) {
    const list = Array.isArray(channels) ? { channels } : { channel: channels };
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    const answer = await this.post('/events', { name, data: text, ...list, ...more });
    if (answer.status !== 200) throw new Error(`publishing: ${answer.status} ${answer.text}`);
    return answer;
  }
}
