import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { freePort, portero, run, temporaryFolder } from './harness.mjs';
import { hubBlock, subscriber } from './lib/hub.mjs';

test('commands: every one has --help', async () => {
  for (const command of ['run', 'check', 'reload', 'stop', 'status', 'explain', 'keys', 'schema',
                         'trust', 'version']) {
    const { code, stdout } = await run([command, '--help']);
    assert.equal(code, 0, command);
    assert.ok(stdout.length > 40, command);
  }
  assert.match((await run(['--help'])).stdout, /reload/);
});

test('version: prints one', async () => {
  const { code, stdout } = await run(['version']);
  assert.equal(code, 0);
  assert.match(stdout, /\b0\.1\.0\b/);
});

test('schema: prints a JSON Schema of the site file', async () => {
  const { code, stdout } = await run(['schema']);
  assert.equal(code, 0);
  const schema = JSON.parse(stdout);
  assert.match(schema.$schema, /json-schema/);
  assert.ok(schema.properties.sites && schema.properties.hub && schema.properties.grace_period);
  assert.equal(schema.additionalProperties, false);
});

test('status: tells of listeners, sites, certificates, upstreams and the hub', async (t) => {
  const edge = await portero(t, `${hubBlock(await freePort())}
sites:
  localhost: {hub: true, proxy: 127.0.0.1:9}
  http://b.test: {respond: x}
`);
  const socket = await subscriber(edge, 'news');
  const text = JSON.stringify(await edge.status());
  for (const word of [`${edge.httpsPort}`, 'localhost', 'b.test', '127.0.0.1:9', 'connections']) {
    assert.ok(text.includes(word), `${word} in ${text}`);
  }
  assert.ok(!text.includes('app-secret'));
  const { code, stdout } = await edge.command('status');
  assert.equal(code, 0);
  assert.match(stdout, /localhost/);
  assert.equal(statSync(edge.admin).mode & 0o007, 0, 'the admin socket is not for everyone');
  socket.close();
});

test('status: without a server says so and fails', async (t) => {
  const folder = temporaryFolder();
  const config = path.join(folder, 'portero.yaml');
  writeFileSync(config, `admin: unix:${folder}/none.sock\nsites: {"http://a": {respond: x}}\n`);
  const { code, stderr } = await run(['status', '--config', config]);
  assert.equal(code, 1);
  assert.match(stderr, /none\.sock/);
});

test('explain: tells which route a URL takes', async (t) => {
  const config = path.join(temporaryFolder(), 'portero.yaml');
  writeFileSync(config, `hub: {apps: {app: {key: app-key, secret: s}}}
sites:
  a.test:
    hub: true
    routes:
      - match: /api/*
        proxy: 127.0.0.1:8000
      - match: {path: /up, method: GET}
        respond: ok
`);
  const explain = async (url) => {
    const { code, stdout, stderr } = await run(['explain', url, '--config', config]);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  assert.match(await explain('https://a.test/api/users'), /127\.0\.0\.1:8000/);
  assert.match(await explain('https://a.test/api/users'), /line 6/);
  assert.match(await explain('wss://a.test/app/app-key'), /hub/);
  assert.match(await explain('WSS://a.test/api/users'), /127\.0\.0\.1:8000/);
  assert.match(await explain('ws://a.test/api'), /308/);
  assert.match(await explain('https://a.test/up'), /respond/);
  assert.match(await explain('https://a.test/none'), /404/);
  assert.match(await explain('https://b.test/'), /no site/);
  assert.match(await explain('http://a.test/up'), /308/);
  assert.match(await explain('https://a.test/app/app-key'), /hub/);
});

test('keys: prints an app and its VITE_ lines, and writes them into an env file', async (t) => {
  const { code, stdout } = await run(['keys']);
  assert.equal(code, 0);
  for (const name of ['REVERB_APP_ID', 'REVERB_APP_KEY', 'REVERB_APP_SECRET',
                      'VITE_REVERB_APP_KEY']) {
    assert.match(stdout, new RegExp(`^${name}=`, 'm'), name);
  }
  assert.notEqual((await run(['keys'])).stdout, stdout, 'two apps are not alike');

  const env = path.join(temporaryFolder(), '.env');
  writeFileSync(env, 'APP_NAME="My App"\nREVERB_APP_KEY=old\n# comment\n', { mode: 0o600 });
  assert.equal((await run(['keys', '--env', env])).code, 1, 'keys in use are not lost by accident');
  assert.match(readFileSync(env, 'utf8'), /^REVERB_APP_KEY=old$/m);
  assert.equal((await run(['keys', '--env', env, '--replace'])).code, 0);
  const text = readFileSync(env, 'utf8');
  assert.match(text, /^APP_NAME="My App"$/m);
  assert.match(text, /^# comment$/m);
  assert.match(text, /^REVERB_APP_SECRET=\S{20,}$/m);
  assert.equal(text.match(/^REVERB_APP_KEY=/gm).length, 1);
  assert.ok(!text.includes('old'));
  assert.equal(statSync(env).mode & 0o777, 0o600);
});

test('env_file: fills in ${NAME} and the REVERB_APP_* of hub: true', async (t) => {
  const folder = temporaryFolder();
  const env = path.join(folder, '.env');
  writeFileSync(env, 'REVERB_APP_ID=app\nREVERB_APP_KEY=app-key\nREVERB_APP_SECRET=s\n'
    + 'TEXT="from env"\n');
  const edge = await portero(t, `env_file: ${env}
sites:
  localhost: {hub: true, respond: "\${TEXT} \${NONE:-default} {path}"}
`);
  assert.equal((await edge.get('/x')).text, 'from env default /x');
  (await subscriber(edge, 'news')).close();
});
