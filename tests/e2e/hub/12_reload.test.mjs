// What a reload means to the sockets of the hub: only those of an app that is gone are closed; new
// keys, secrets and limits hold from then on.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Hub } from './fixture.mjs';
import { channelAuth } from './pusher_client.mjs';

const app = (id, more = {}) =>
  ({ id, key: `${id}-key`, secret: `${id}-secret`, settings: '', ...more });
const siteFile = (apps) => (listen) => `
hub:
  listen: 127.0.0.1:${listen}
  apps:
${apps.map(({ id, key, secret, settings }) =>
    `    ${id}: {key: ${key}, secret: ${secret}${settings}}\n`).join('')}
sites:
  http://localhost: {hub: true}
`;

async function startHub(t, apps) {
  const hub = new Hub();
  await hub.start(t, siteFile(apps));
  t.after(() => hub.closeClients());
  return hub;
}

async function reload(hub, apps) {
  hub.edge.write(siteFile(apps)(hub.listen));
  const { code, stderr } = await hub.edge.command('reload');
  assert.equal(code, 0, stderr);
}

test('an app that is gone closes its sockets with 4001, the others notice nothing', async (t) => {
  const [kept, gone] = [app('kept'), app('gone')];
  const hub = await startHub(t, [kept, gone]);
  const staying = await Promise.all(Array.from({ length: 8 }, () => hub.connect(kept)));
  const leaving = await Promise.all(Array.from({ length: 8 }, () => hub.connect(gone)));
  for (const client of [...staying, ...leaving]) await client.subscribe('news');
  await reload(hub, [kept]);
  for (const client of leaving) {
    await client.expectError(4001, /removed/);
    await client.expectClose(4001);
  }
  const late = await hub.connect(gone, { greeted: false });
  await late.expectError(4001);
  await late.expectClose(4001);
  assert.equal((await hub.api(gone).get('/channels')).status, 404);
  await hub.api(kept).publish('news', 'e', 'x');
  for (const client of staying) await client.expect('e', { channel: 'news' });

  await reload(hub, [kept, gone]);
  await (await hub.connect(gone)).subscribe('news');
  assert.equal((await hub.api(gone).get('/connections')).json.connections, 1);
});

test('a new key and secret hold at once, sockets that are open stay', async (t) => {
  const old = app('shop');
  const renewed = app('shop', { key: 'new-key', secret: 'new-secret' });
  const hub = await startHub(t, [old]);
  const client = await hub.connect(old);
  await client.subscribe('private-news');
  await reload(hub, [renewed]);

  const answer = await hub.api(old).post('/events', { name: 'e', data: 'x', channel: 'news' });
  assert.equal(answer.status, 401);
  assert.match(answer.text, /shop-key.*REVERB_APP_KEY/);
  await hub.api(renewed).publish('private-news', 'e', 'x');
  await client.expect('e', { channel: 'private-news' });

  client.requestSubscription('private-more');  // signed with the old secret
  await client.expectUnauthorized('private-more', /key/);
  const auth = channelAuth(renewed, client.id, 'private-more');
  await client.subscribe('private-more', { auth });
  await (await hub.connect(renewed)).subscribe('private-news');
  const late = await hub.connect(old, { greeted: false });
  await late.expectError(4001);
});

test('new limits hold for sockets that are open', async (t) => {
  const hub = await startHub(t, [app('shop')]);
  const [first, second] = [await hub.connect(app('shop')), await hub.connect(app('shop'))];
  for (const client of [first, second]) await client.subscribe('private-news');
  const settings = ', max_message_size: 200B, client_events: none, max_connections: 2';
  await reload(hub, [app('shop', { settings })]);
  first.send({ event: 'client-x', channel: 'private-news', data: {} });
  await first.expectError(4301, /client messaging/);
  const third = await hub.connect(app('shop'), { greeted: false });
  await third.expectError(4004);
  first.send('x'.repeat(201));
  await first.expectClose(1009);
  await second.expectSilence();
});
