// `php:` in front of a real php-fpm with a small application: what it is told and what it says.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { h2request, portero, waitFor } from './harness.mjs';
import { fpm } from './lib/fpm.mjs';

const application = fileURLToPath(new URL('php-app', import.meta.url));
const root = path.join(application, 'public');
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

const site = (server) => `
sites:
  localhost:
    root: ${root}
    headers: {remove: [X-Powered-By]}
    php: {to: "${server.address}", env: {APP_ENV: testing}, sendfile_root: ${application}/private}
  behind.test: {trusted_proxies: [127.0.0.1], root: ${root}, php: "${server.address}"}
`;

for (const tcp of [false, true]) {
  test(`php: a small application over ${tcp ? 'TCP' : 'a unix socket'}`, async (t) => {
    const server = await fpm(t, { tcp });
    const edge = await portero(t, site(server));
    const json = async (target, options) => (await edge.get(target, options)).json;

    await t.test('a page, and connections that are kept', async () => {
      const answer = await edge.get('/');
      assert.deepEqual([answer.status, answer.text], [200, 'front controller saw GET /']);
      assert.equal(answer.headers['x-powered-by'], undefined);
      assert.equal(answer.headers['content-length'], '26');
      const agent = edge.keepAliveAgent();
      const pids = new Set();
      for (let i = 0; i < 6; i++) pids.add((await edge.get('/pid', { agent })).text);
      assert.equal(pids.size, 1);
    });
    await t.test('forms', async () => {
      const body = new URLSearchParams({ a: '1 2', b: 'ü' }).toString();
      const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
      assert.deepEqual(await json('/form?q=%2F', { method: 'POST', body, headers }), {
        method: 'POST', get: { q: '/' }, post: { a: '1 2', b: 'ü' },
      });
    });
    await t.test('uploads of 1 byte, 8 MB and unknown length', async () => {
      for (const size of [0, 1, 65_528, 200_000, 8_000_000]) {
        const body = randomBytes(size);
        const headers = { 'Content-Type': 'x/y' };
        const want = { length: `${size}`, type: 'x/y', sha256: sha256(body) };
        const known = { ...headers, 'Content-Length': size };
        assert.deepEqual(await json('/raw', { method: 'POST', body, headers: known }), want);
        const chunks = Readable.from(body.length ? [body.subarray(0, 1), body.subarray(1)] : []);
        assert.deepEqual(await json('/raw', { method: 'PUT', body: chunks, headers }), want);
      }
      const body = randomBytes(300_000);
      const head = { ':method': 'POST', ':path': '/raw' };
      const answer = await h2request(await edge.h2(), head, body);
      assert.deepEqual([answer.json.length, answer.json.sha256], ['300000', sha256(body)]);
    });
    await t.test('a file of a form', async () => {
      const form = new FormData();
      const bytes = randomBytes(2_000_000);
      form.append('picture', new Blob([bytes]), 'p.png');
      form.append('note', 'x');
      const request = new Request('http://x/', { method: 'POST', body: form });
      const body = Buffer.from(await request.arrayBuffer());
      const headers = { 'Content-Type': request.headers.get('content-type') };
      const seen = await json('/upload', { method: 'POST', body, headers });
      assert.equal(seen.files.picture.sha256, sha256(bytes));
      assert.deepEqual(seen.post, { note: 'x' });
    });
    await t.test('sessions, redirects, empty answers, HEAD', async () => {
      const first = await edge.get('/session');
      const cookie = first.headers['set-cookie'][0].split(';')[0];
      assert.equal((await json('/session', { headers: { Cookie: cookie } })).count, 2);
      const redirect = await edge.get('/redirect');
      assert.deepEqual([redirect.status, redirect.headers.location], [302, '/target']);
      assert.equal((await edge.get('/created')).status, 201);
      assert.equal((await edge.get('/empty')).status, 204);
      const head = await edge.get('/long?bytes=100000', { method: 'HEAD' });
      assert.deepEqual([head.status, head.text], [200, '']);
    });
    await t.test('long answers arrive whole', async () => {
      for (const bytes of [70_000, 30_000_000]) {
        const { body } = await edge.get(`/long?bytes=${bytes}`);
        assert.equal(body.length, bytes);
        const line = '0123456789abcdef'.repeat(512);
        assert.ok(body.equals(Buffer.alloc(bytes, line)));
      }
      assert.equal((await edge.get('/sized?says=9000&bytes=9000')).body.length, 9000);
      await assert.rejects(edge.get('/sized?says=9000&bytes=8999'));
    });
    await t.test('events and unbuffered answers pass as they come', async () => {
      for (const target of ['/events?count=3', '/ticks']) {
        const wire = await edge.wire({ tls: true });
        wire.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        assert.equal((await wire.head()).status, 200);
        const times = [];
        for (let size; (size = parseInt(await wire.line(), 16)) !== 0; await wire.line()) {
          await wire.bytes(size);
          times.push(Date.now());
        }
        assert.ok(times.at(-1) - times[0] >= 200, `${target}: ${times}`);
      }
    });
    await t.test('what PHP logs reaches the log, with the request', async () => {
      const answer = await edge.get('/fatal');
      assert.equal(answer.status, 500);
      await edge.get('/warn');
      await waitFor('both lines', () => edge.stderr.includes('second line'));
      const lines = edge.stderr.split('\n').filter((line) => line.includes('php.stderr'));
      const fatal = lines.find((line) => line.includes('not_a_function'));
      assert.match(fatal, /"request_id":"[0-9a-f]{16}","host":"localhost","path":"\/fatal"/);
    });
  });
}

test('php: what a script is told', async (t) => {
  const server = await fpm(t);
  const edge = await portero(t, site(server));
  const seen = async (target, options) => (await edge.get(target, options)).json;

  await t.test('the whole environment', async () => {
    const server_ = await seen('/server?x=1', { headers: { 'X-One': '1' } });
    assert.equal(server_.REQUEST_URI, '/server?x=1');
    assert.equal(server_.SCRIPT_FILENAME, path.join(root, 'index.php'));
    assert.equal(server_.HTTPS, 'on');
    assert.equal(server_.REMOTE_ADDR, '127.0.0.1');
    assert.equal(server_.SERVER_ADDR, '127.0.0.1');
    assert.equal(server_.SERVER_NAME, 'localhost');
    assert.equal(Number(server_.SERVER_PORT), edge.httpsPort);
    assert.equal(server_.HTTP_X_ONE, '1');
    assert.equal(server_.APP_ENV, 'testing');
  });
  await t.test('no field passes for another', async () => {
    const headers = { Proxy: 'http://evil', Remote_User: 'root', 'X.A': '1', 'X-A': '2' };
    const server_ = await seen('/server', { headers });
    assert.equal(server_.HTTP_PROXY, undefined);
    assert.equal(server_.HTTP_REMOTE_USER, undefined);
    assert.equal(server_.HTTP_X_A, '2');
  });
  await t.test('a trusted proxy speaks for its client', async () => {
    const headers = { 'X-Forwarded-For': '203.0.113.7' };
    assert.equal((await seen('/server', { headers })).REMOTE_ADDR, '127.0.0.1');
    const behind = await seen('/server', { host: 'behind.test', headers });
    assert.equal(behind.REMOTE_ADDR, '203.0.113.7');
  });
  await t.test('scripts, PATH_INFO, folders and files', async () => {
    const info = await seen('/info.php/a/b?q');
    assert.deepEqual([info.SCRIPT_NAME, info.PATH_INFO], ['/info.php', '/a/b']);
    assert.equal(info.REQUEST_URI, '/info.php/a/b?q');
    assert.equal((await edge.get('/dir/')).text, 'index of dir');
    const slash = await edge.get('/dir?x=1');
    assert.deepEqual([slash.status, slash.headers.location], [308, '/dir/?x=1']);
    assert.equal((await edge.get('//dir')).headers.location, '/dir/');
    const file = await edge.get('/style.css');
    assert.deepEqual([file.status, file.text], [200, 'body { color: #123; }\n']);
    assert.match(file.headers['content-type'], /^text\/css/);
  });
  await t.test('an upload is not run, a dotfile not shown', async () => {
    for (const target of ['/up.jpg/x.php', '/up.jpg/.php', '/up.jpg%2fx.php']) {
      assert.doesNotMatch((await edge.get(target)).text, /an upload was run/, target);
    }
    for (const target of ['/.env', '/%2eenv', '/dir/.git/config']) {
      assert.equal((await edge.get(target)).status, 404, target);
    }
    for (const target of ['/info.php%0a/x', '/info.php%00', '/..%2f..%2fetc/passwd']) {
      assert.equal((await edge.get(target)).status, 400, target);
    }
    assert.match((await edge.get('/%C4%B0.php/info.php')).text, /^front controller/);
    assert.match((await edge.get('/info.PHP')).text, /^front controller/);
  });
  await t.test('private files that a script names, from their folder alone', async () => {
    const named = (name, file) =>
      edge.get(`/sendfile?with=${name}&file=${encodeURIComponent(file)}`);
    for (const [name, file] of [['X-Accel-Redirect', '/report.txt'],
      ['X-Sendfile', `${application}/private/report.txt`]]) {
      const answer = await named(name, file);
      assert.deepEqual([answer.status, answer.text], [200, 'a private report\n'], name);
      assert.match(answer.headers['content-type'], /^text\/x-private/);
      assert.equal(answer.headers[name.toLowerCase()], undefined);
    }
    for (const file of ['/../public/.env', '/etc/passwd', `${root}/index.php`, '/none']) {
      assert.equal((await named('X-Sendfile', file)).status, 404, file);
    }
  });
  await t.test('a head that is too large is told to the log and is a 502', async () => {
    assert.equal((await edge.get('/big-header?each=100')).text, 'big');
    const answer = await edge.get('/big-header?each=1000');
    assert.equal(answer.status, 502);
    assert.match(answer.text, /header fields are larger than 64 KiB/);
  });
  assert.doesNotMatch(readFileSync(server.log, 'utf8'), /SIGSEGV/);
});

test('php: without a root it starts, answers 500 and says what is missing', async (t) => {
  const edge = await portero(t, 'sites: {localhost: {php: "127.0.0.1:9"}}\n');
  assert.equal((await edge.get('/')).status, 500);
  await waitFor('the log', () => /php\.root.*`root` is missing/.test(edge.stderr));
});
