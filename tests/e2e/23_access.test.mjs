// Who is served: allow, deny, and a flag file that stops everything but sockets.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { pause, portero, temporaryFolder, waitFor } from './harness.mjs';

const from = (address) => ({ headers: { 'X-Forwarded-For': address } });

test('access: allow and deny, by the address that a trusted proxy gives', async (t) => {
  const edge = await portero(t, `
trusted_proxies: loopback
hub:
  apps:
    one: {key: one-key, secret: one-secret}
sites:
  http://a.test:
    allow: [192.0.2.0/24, 2001:db8::/32]
    deny: 192.0.2.7
    hub: one
    routes:
      - {match: /open, allow: 0.0.0.0/0, respond: open}
      - {match: /old/*, strip_prefix: /old, routes: [{match: /x, respond: x}]}
      - {respond: inside}
`);
  const get = (target, address) =>
    edge.get(target, { host: 'a.test', tls: false, ...from(address) });
  for (const [target, address, status] of [
    ['/', '192.0.2.1', 200], ['/', '2001:db8::5', 200], ['/', '192.0.2.7', 403],
    ['/', '198.51.100.1', 403], ['/open', '198.51.100.1', 200], ['/open', '192.0.2.7', 200],
    ['//open', '198.51.100.1', 200], ['/old/x', '198.51.100.1', 403], ['/old/x', '192.0.2.1', 200],
    ['/app/one-key', '198.51.100.1', 403], ['/apps/one/channels', '198.51.100.1', 403],
  ]) {
    assert.equal((await get(target, address)).status, status, `${target} from ${address}`);
  }
  assert.match((await get('/', '198.51.100.1')).text, /^Forbidden: not from this address/);
  // A client cannot choose its address: only the last proxy is believed.
  assert.equal((await get('/', '192.0.2.1, 198.51.100.1')).status, 403);
});

test('access: maintenance comes and goes with a file', async (t) => {
  const flag = path.join(temporaryFolder(), 'down');
  const edge = await portero(t, `
trusted_proxies: loopback
sites:
  http://a.test:
    maintenance: ${flag}
    headers: {set: {X-Site: a}}
    routes:
      - match: /status
        maintenance: {file: ${flag}, respond: {body: "{path} is down"}, allow: 192.0.2.0/24}
        respond: up
      - {respond: page}
`);
  const get = (target, address = '198.51.100.1') =>
    edge.get(target, { host: 'a.test', tls: false, ...from(address) });
  assert.equal((await get('/')).text, 'page');
  writeFileSync(flag, '');
  await waitFor('the maintenance', async () => (await get('/')).status === 503);
  await pause(600); // by now every worker has looked
  const answer = await get('/any/page');
  assert.equal(answer.status, 503);
  assert.match(answer.text, /^Down for maintenance/);
  assert.equal(answer.headers['retry-after'], '60');
  assert.equal(answer.headers['x-site'], 'a');
  const other = await get('/status');
  assert.equal(other.status, 503);
  assert.equal(other.text, '/status is down');
  assert.equal(other.headers['retry-after'], '60');
  assert.equal((await get('/status', '192.0.2.9')).text, 'up');
  rmSync(flag);
  await waitFor('the end of it', async () => (await get('/')).status === 200);
  await pause(600);
  assert.equal((await get('/status')).text, 'up');
});
