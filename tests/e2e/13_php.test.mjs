// The seed's case: nginx and php-fpm behind portero, which is also the application's hub.
import assert from 'node:assert/strict';
import test from 'node:test';

import { freePort, portero, within } from './harness.mjs';
import { app, hubBlock, subscriber } from './lib/hub.mjs';
import { phpBehindNginx } from './lib/php.mjs';

test('php: an application behind nginx authorises channels and publishes', async (t) => {
  const hubPort = await freePort();
  const env = {
    REVERB_APP_ID: app.id, REVERB_APP_KEY: app.key, REVERB_APP_SECRET: app.secret,
    REVERB_HOST: '127.0.0.1', REVERB_PORT: `${hubPort}`,
  };
  const nginx = await phpBehindNginx(t, env);
  const site = `  localhost: {hub: true, proxy: ${nginx.address}}\n`;
  const edge = await portero(t, `${hubBlock(hubPort)}sites:\n${site}`);

  await t.test('pages come through', async () => {
    assert.equal((await edge.get('/users?page=2')).text, 'PHP saw GET /users?page=2 for localhost');
  });
  await t.test('/app and /apps of the site stay the site\'s', async () => {
    assert.match((await edge.get('/app/settings')).text, /^PHP saw GET \/app\/settings/);
    assert.match((await edge.get('/apps/unknown/events')).text, /^PHP saw GET \/apps\/unknown/);
  });
  await t.test('a private channel is authorised by PHP and hears what PHP publishes', async () => {
    const socket = await subscriber(edge, null);
    const body = new URLSearchParams({ socket_id: socket.id, channel_name: 'private-orders' });
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const { auth } = (await edge.get('/broadcasting/auth', {
      method: 'POST', body: body.toString(), headers,
    })).json;
    socket.send({ event: 'pusher:subscribe', data: { channel: 'private-orders', auth } });
    assert.equal((await socket.nextJson()).event, 'pusher_internal:subscription_succeeded');
    const answer = await edge.get('/orders', { method: 'POST', body: '' });
    assert.deepEqual([answer.status, answer.text], [201, 'published: 200']);
    const message = await within('the event', socket.nextJson());
    assert.equal(message.event, 'App\\Events\\OrderPlaced');
    assert.deepEqual(JSON.parse(message.data), { id: 7, by: '127.0.0.1' });
  });
});
