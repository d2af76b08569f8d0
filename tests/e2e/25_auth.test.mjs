// Who may pass and how often: basic_auth, forward_auth, limits.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';

import { backend, binary, portero, run, waitFor } from './harness.mjs';

const basic = (user, password) =>
  ({ Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` });

async function hash(password, algorithm) {
  const child = spawn(binary, ['hash-password', '--algorithm', algorithm]);
  let out = '';
  child.stdout.on('data', (data) => (out += data));
  child.stdin.end(`${password}\n`);
  const [code] = await once(child, 'close');
  assert.equal(code, 0);
  return out.trim();
}

test('auth: basic_auth with bcrypt and argon2id hashes of portero hash-password', async (t) => {
  const hashes = { admin: await hash('s3cret:with colon', 'bcrypt'), ann: await hash('pässword',
    'argon2id') };
  assert.match(hashes.admin, /^\$2y\$12\$.{53}$/);
  assert.match(hashes.ann, /^\$argon2id\$v=19\$m=65536,t=3,p=4\$/);
  const upstream = await backend(t);
  const edge = await portero(t, `
sites:
  http://a.test:
    log: {file: access.log}
    routes:
      - match: /open
        respond: open
      - basic_auth:
          users: {admin: "${hashes.admin}", ann: "${hashes.ann}"}
          realm: 'the "inner" part'
        routes:
          - {match: /app, headers_up: {set: {X-User: "{user}"}}, proxy: "${upstream.address}"}
          - {match: /page, try_files: =404, root: /nonexistent, respond: page}
          - {match: /hello, respond: "hello {user}"}
`);
  const get = (target, headers = {}) => edge.get(target, { host: 'a.test', tls: false, headers });
  assert.equal((await get('/open')).text, 'open');
  const asked = await get('/hello');
  assert.equal(asked.status, 401);
  assert.equal(asked.headers['www-authenticate'],
    'Basic realm="the \\"inner\\" part", charset="UTF-8"');
  for (const headers of [basic('admin', 'wrong'), basic('nobody', 's3cret:with colon'),
    basic('ann', ''),
    basic('', ''), { Authorization: 'Basic !!!' }, { Authorization: 'Basic' },
      { Authorization: 'Bearer x' },
    { Authorization: `Basic ${Buffer.from('nocolon').toString('base64')}` },
    basic('admin', 'x'.repeat(5000))]) {
    assert.equal((await get('/hello', headers)).status, 401, JSON.stringify(headers).slice(0, 60));
  }
  assert.equal((await get('/hello', basic('admin', 's3cret:with colon'))).text, 'hello admin');
  assert.equal((await get('/hello', basic('ann', 'pässword'))).text, 'hello ann');
  const passed = JSON.parse((await get('/app', { ...basic('ann', 'pässword'),
    'X-User': 'root' })).text);
  assert.equal(passed.headers['x-user'], 'ann');
  // Nothing is told before the password is right: not whether a route or file is there.
  assert.equal((await get('/none')).status, 401);
  assert.equal((await get('/page')).status, 401);
  assert.equal((await get('/page', basic('ann', 'pässword'))).status, 404);
  // A right password is checked once, however many requests come with it side by side.
  const started = Date.now();
  await Promise.all(Array.from({ length: 40 }, () => get('/hello', basic('admin',
    's3cret:with colon'))));
  assert.ok(Date.now() - started < 2000, 'forty requests with a known password');
  // A wrong one keeps nobody else waiting.
  const slow = get('/hello', basic('admin', 'wrong again'));
  assert.equal((await get('/open')).text, 'open');
  assert.equal((await slow).status, 401);
  assert.match(edge.stderr, /auth\.refused.*client_ip.*127\.0\.0\.1/);
  assert.doesNotMatch(edge.stderr, /wrong again/);
});

test('auth: over a reload a right password is still known', async (t) => {
  const yaml = (text, secret) => `
threads: 1
sites: {"http://localhost": {basic_auth: {ann: "${secret}"}, respond: ${text}}}
`;
  const secret = await hash('right', 'bcrypt');
  const edge = await portero(t, yaml('old', secret));
  const get = (password) => edge.get('/', { tls: false, headers: basic('ann', password) });
  assert.equal((await get('right')).text, 'old');
  edge.write(yaml('new', secret));
  assert.equal((await edge.command('reload')).code, 0);
  // One after the other is checked, and who is known need not wait for them.
  let checked = 0;
  const guesses = Promise.all(Array.from({ length: 16 }, async (_, i) => {
    assert.equal((await get(`guess ${i}`)).status, 401);
    checked += 1;
  }));
  assert.equal((await get('right')).text, 'new');
  assert.ok(checked < 8, `after ${checked} guesses`);
  await guesses;
  // Another hash is another password.
  edge.write(yaml('newest', await hash('other', 'bcrypt')));
  assert.equal((await edge.command('reload')).code, 0);
  assert.equal((await get('right')).status, 401);
});

test('auth: what is no hash of a password is an error of the site file', async () => {
  const { stderr, code } = await run(['hash-password', '--password', 'x'.repeat(80)]);
  assert.equal(code, 1);
  assert.match(stderr, /72 bytes.*argon2id/);
});

test('auth: forward_auth asks, copies fields and drops what a client forged', async (t) => {
  const asked = [];
  const auth = await backend(t, (request, response) => {
    asked.push({ url: request.url, method: request.method, headers: request.headers });
    const cookie = request.headers.cookie ?? '';
    if (cookie.includes('slow')) return;
    if (cookie.includes('ok')) {
      response.setHeader('X-User', 'ann');
      if (cookie.includes('groups')) response.setHeader('X-Groups', 'staff');
      response.setHeader('X-Internal', 'kept here');
      response.end('fine');
      return;
    }
    response.writeHead(302, { Location: 'https://login.test/?rd=x', 'Set-Cookie': ['a=1', 'b=2'] });
    response.end('go and log in');
  });
  const upstream = await backend(t);
  const edge = await portero(t, `
sites:
  http://a.test:
    forward_auth:
      to: "http://${auth.address}/verify?realm=a"
      copy: [X-User, X-Groups]
      timeout: 1s
    strip_prefix: /in
    proxy: ${upstream.address}
`);
  const ask = (options) => edge.get('/in/x?q=1', { host: 'a.test', tls: false, ...options });
  const refused = await ask({});
  assert.deepEqual([refused.status, refused.text, refused.headers.location], [302,
    'go and log in', 'https://login.test/?rd=x']);
  assert.deepEqual(refused.headers['set-cookie'], ['a=1', 'b=2']);
  assert.equal(upstream.requests.length, 0);
  const body = 'the body is for the application';
  const answer = await ask({
    method: 'POST', body,
    headers: { Cookie: 'ok', 'X-User': 'root', 'X_User': 'root', 'x-groups': 'admins',
      'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/forged' },
  });
  const got = JSON.parse(answer.text);
  assert.equal(got.body, body);
  assert.equal(got.url, '/x?q=1');
  assert.equal(got.headers['x-user'], 'ann');
  for (const name of ['x_user', 'x-groups', 'x-internal']) assert.equal(got.headers[name],
    undefined, name);
  const question = asked.at(-1);
  assert.deepEqual([question.method, question.url], ['GET', '/verify?realm=a']);
  assert.equal(question.headers['x-forwarded-method'], 'POST');
  assert.equal(question.headers['x-forwarded-uri'], '/in/x?q=1');
  assert.equal(question.headers['x-forwarded-host'], 'a.test');
  assert.equal(question.headers.cookie, 'ok');
  assert.equal(question.headers['content-length'], undefined);
  const grouped = JSON.parse((await ask({ headers: { Cookie: 'ok groups' } })).text);
  assert.equal(grouped.headers['x-groups'], 'staff');
  // Nor can a client have what was said of it taken away on the last step.
  const hop = { Cookie: 'ok', Connection: 'X-User, X-Hop', 'X-Hop': '1' };
  const nominated = JSON.parse((await ask({ headers: hop })).text);
  assert.equal(nominated.headers['x-user'], 'ann');
  assert.equal(nominated.headers['x-hop'], undefined);
  // A server that does not decide lets nobody pass.
  assert.equal((await ask({ headers: { Cookie: 'slow' } })).status, 504);
  await auth.stop();
  assert.equal((await ask({ headers: { Cookie: 'ok' } })).status, 502);
  assert.equal(upstream.requests.length, 3);
});

test('auth: limits of requests, shared by workers, routes and the hub', async (t) => {
  const edge = await portero(t, `
trusted_proxies: loopback
hub: {apps: {one: {key: one-key, secret: one-secret}}}
sites:
  http://a.test:
    limits: {requests: 20/min per client_ip}
    hub: one
    routes:
      - match: /login
        limits: {requests: [3/min per client_ip, 5/min per path], burst: 2}
        respond: login
      - {match: /token, limits: {requests: 2/h per header.X-Token}, respond: token}
      - {respond: page}
`);
  const get = (target, address, headers = {}) =>
    edge.get(target, { host: 'a.test', tls: false, headers: { 'X-Forwarded-For': address,
      ...headers } });
  const first = await get('/', '192.0.2.1');
  assert.equal(first.headers['ratelimit-policy'], '"client_ip";q=20;w=60');
  assert.match(first.headers.ratelimit, /^"client_ip";r=19;t=\d+$/);
  const statuses = [];
  for (let i = 0; i < 22; ++i) statuses.push((await get(i % 2 ? '/' : '/other',
    '192.0.2.1')).status);
  assert.deepEqual(statuses, [...Array(19).fill(200), 429, 429, 429]);
  const refused = await get('/', '192.0.2.1');
  assert.equal(refused.headers['retry-after'], '3');
  assert.match(refused.headers.ratelimit, /^"client_ip";r=0;t=3$/);
  // The hub and paths that no route takes count too; others are not touched.
  assert.equal((await get('/app/one-key', '192.0.2.1', { Connection: 'Upgrade',
    Upgrade: 'websocket' })).status, 429);
  assert.equal((await get('/', '192.0.2.2')).status, 200);
  // One line for the one who is banned, not one for each request.
  await waitFor('the line', () => /limit\.refused/.test(edge.stderr));
  assert.equal(edge.stderr.match(/limit\.refused/g).length, 1);
  assert.match(edge.stderr, /"event":"limit\.refused".*"client_ip":"192\.0\.2\.1"/);

  const burst = [];
  for (let i = 0; i < 3; ++i) burst.push((await get('/login', '192.0.2.3')).status);
  assert.deepEqual(burst, [200, 200, 429]);
  assert.equal((await get('/login', '192.0.2.4')).status, 429, 'per path, whoever asks');
  assert.equal((await get('/token', '192.0.2.5', { 'X-Token': 'a' })).status, 200);
  assert.equal((await get('/token', '192.0.2.5', { 'X-Token': 'a' })).status, 200);
  assert.equal((await get('/token', '192.0.2.6', { 'X-Token': 'a' })).status, 429);
  assert.equal((await get('/token', '192.0.2.5', { 'X-Token': 'b' })).status, 200);
  // An IPv6 customer is a /64.
  const six = [];
  for (let i = 0; i < 22; ++i) six.push((await get('/', `2001:db8:1:2::${i + 1}`)).status);
  assert.equal(six.filter((status) => status === 429).length, 2);
  assert.equal((await get('/', '2001:db8:1:3::1')).status, 200);
});
