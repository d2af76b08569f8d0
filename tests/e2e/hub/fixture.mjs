// One portero for all tests of a file, with the applications that the conformance list speaks of.
import { after, before } from 'node:test';

import { freePort, portero, waitFor } from '../harness.mjs';
import { PusherClient } from './pusher_client.mjs';
import { ApiClient } from './api_client.mjs';

const app = (id, key, secret, settings = {}) => ({ id, key, secret, settings });

// The three of Reverb's own tests.
export const A = app('123456', 'reverb-key', 'reverb-secret');
export const B = app('654321', 'reverb-key-2', 'reverb-secret-2',
                     { max_message_size: '1MB', max_connections: 1 });
export const C = app('987654', 'reverb-key-3', 'reverb-secret-3',
                     { allowed_origins: '[laravel.com]' });
// For what those three cannot show.
export const wildcard = app('200001', 'wildcard-key', 'secret-1',
                            { allowed_origins: '["*.laravel.com"]' });
export const quick = app('200002', 'quick-key', 'secret-2', { ping_interval: '1s' });
export const silent = app('200003', 'silent-key', 'secret-3', { client_events: 'none' });
export const open = app('200004', 'open-key', 'secret-4', { client_events: 'all' });
export const limited = app('200005', 'limited-key', 'secret-5',
                           { limits: '{messages: 3/min per connection}' });
export const strict = app('200009', 'strict-key', 'secret-9',
                          { limits: '{messages: 3/min per connection, over: close}' });
export const counted = app('200006', 'counted-key', 'secret-6');
export const roomy = app('200007', 'roomy-key', 'secret-7',
                         { presence: '{members: 100, member_size: 2KB}' });
export const per_address = app('200008', 'address-key', 'secret-8',
                               { limits: '{connections: 2 per client_ip}' });

const apps = {
  A, B, C, wildcard, quick, silent, open, limited, strict, counted, roomy, per_address,
};

const appBlock = ({ id, key, secret, settings }) => {
  const more = Object.entries(settings).map(([name, value]) => `, ${name}: ${value}`).join('');
  return `    "${id}": {key: ${key}, secret: ${secret}${more}}\n`;
};

// A site file with every application, a plain and a TLS site, and one that keeps the hub below /ws.
export const siteFile = (listen) => `
hub:
  listen: 127.0.0.1:${listen}
  apps:
${Object.values(apps).map(appBlock).join('')}
sites:
  http://localhost: {hub: true}
  localhost: {hub: true}
  http://prefixed.test:
    routes:
      - {match: /ws/*, strip_prefix: /ws, hub: true}
  http://only-c.test: {hub: ["${C.id}"]}
  http://beside.test: {hub: true, respond: the site}
`;

export class Hub {
  #clients = new Set();

  async start(t, makeSiteFile = siteFile) {
    this.listen = await freePort();
    this.edge = await portero(t, makeSiteFile(this.listen), { ready: this.listen });
  }

  // A socket to an application; it has the greeting unless `greeted: false`.
  async connect(application = A, options = {}) {
    const client = new PusherClient(this.edge.httpPort, application, options);
    this.#clients.add(client);
    if (options.greeted !== false) await client.greeting();
    return client;
  }

  // The API of an application, through the loopback listener unless `port` says else.
  api(application = A, options = {}) {
    return new ApiClient({ port: this.listen, ...options }, application);
  }

  // Ends every socket, also those on bare connections, and waits until the server has noticed.
  async closeClients() {
    this.edge?.closeClients();
    const clients = [...this.#clients];
    this.#clients.clear();
    for (const client of clients) client.terminate();
    await Promise.all(clients.map((client) => client.closed));
    if (!this.edge?.running) return;
    for (const application of new Set(clients.map((client) => client.app))) {
      if (application.id === undefined) continue;
      await waitFor(`the sockets of ${application.key} to be gone`, async () =>
        (await this.api(application).get('/connections')).json.connections === 0);
    }
  }
}

// Starts before the first test of the file and stops after the last.
export function sharedHub(makeSiteFile = siteFile) {
  const hub = new Hub();
  const cleanups = [];
  const scope = { passed: true, after: (cleanup) => cleanups.unshift(cleanup) };
  before(() => hub.start(scope, makeSiteFile));
  after(async () => {
    await hub.closeClients();
    for (const cleanup of cleanups) await cleanup();
  });
  return hub;
}
