// Attacks on paths, fields, ranges and encodings: whatever is sent, no byte from outside the root
// is served, no guard is passed, no upload is run.
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';

import { backend, portero, temporaryFolder, waitFor, within } from './harness.mjs';
import { fpm } from './lib/fpm.mjs';

const secret = 'TOP-SECRET-OUTSIDE';

// One raw request over a connection of its own; what came back, as text.
function raw(edge, bytes) {
  return within('an answer', new Promise((resolve) => {
    const socket = net.connect(edge.httpPort, '127.0.0.1');
    let got = '';
    socket.setEncoding('latin1');
    socket.on('data', (data) => (got += data));
    socket.on('error', () => resolve(got));
    socket.on('close', () => resolve(got));
    socket.write(bytes, 'latin1');
    socket.setTimeout(3000, () => socket.destroy());
  }));
}
const get = (edge, target, fields = '') =>
  raw(edge, `GET ${target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n${fields}\r\n`);
const status = (answer) => Number(answer.slice(9, 12)) || 0;

const traversals = [
  '/../secret.txt', '/../../../../etc/passwd', '/%2e%2e/secret.txt', '/.%2e/secret.txt',
  '/%2e./secret.txt', '/..%2fsecret.txt', '/..%2Fsecret.txt', '/%2e%2e%2fsecret.txt',
  '/..%5csecret.txt', '/..\\secret.txt', '/%252e%252e/secret.txt', '/%252e%252e%252fsecret.txt',
  '/a/../../secret.txt', '/a//..//../secret.txt', '/a/%2e%2e/%2e%2e/secret.txt',
  '/a/..;/../secret.txt', '/./../secret.txt', '//../secret.txt', '/....//secret.txt',
  '/..%00/secret.txt', '/%c0%ae%c0%ae/secret.txt', '/%e0%80%ae%e0%80%ae/secret.txt',
  '/%uff0e%uff0e/secret.txt', '/a%00/../../secret.txt', '/link/secret.txt', '/link%2fsecret.txt',
  '/inner-link', '/?/../secret.txt/../../secret.txt', '/a/../..', '/..', '/%2e%2e',
  'http://a.test/../secret.txt', 'http://a.test/%2e%2e/secret.txt', '*', 'secret.txt',
];
const controls = ['/a b', '/a\tb', '/a\x00b', '/a\x01b', '/a\x7fb', '/a%00b', '/a%0ab',
  '/a%0d%0aX: y',
  '/a%01', '/a%7f', '/a\x0bb', '/a\xffb '];

test('attacks: paths to files, however they are written', async (t) => {
  const folder = temporaryFolder();
  const root = path.join(folder, 'root');
  mkdirSync(path.join(root, 'a'), { recursive: true });
  writeFileSync(path.join(folder, 'secret.txt'), secret);
  writeFileSync(path.join(root, 'index.html'), 'index');
  writeFileSync(path.join(root, 'a/file.txt'), 'file');
  symlinkSync(folder, path.join(root, 'link'));
  symlinkSync(path.join(folder, 'secret.txt'), path.join(root, 'inner-link'));
  const edge = await portero(t, `
sites:
  http://a.test:
    root: ${root}
    routes:
      - match: /try/*
        strip_prefix: /try
        try_files: ["{path}", "/index.html"]
        files: {browse: true}
      - {match: /re/*, rewrite: "/{query.to}", files: true}
      - {match: /strip/*, strip_prefix: /strip, files: true}
      - {files: {browse: true}}
`);
  assert.match(await get(edge, '/a/file.txt'), /file$/);
  for (const target of traversals) {
    for (const prefix of ['', '/try', '/strip', '/re']) {
      const asked = target.startsWith('/') ? prefix + target : target;
      const answer = await get(edge, asked);
      assert.ok(!answer.includes(secret) && !answer.includes('root:x:'), asked);
      assert.ok([0, 200, 301, 308, 400, 404, 405].includes(status(answer)), `${asked}: ${answer}`);
    }
    const answer = await get(edge, `/re/x?to=${target.replaceAll(' ', '%20')}`);
    assert.ok(!answer.includes(secret), `rewritten ${target}`);
  }
  for (const target of controls) assert.equal(status(await get(edge, target)), 400,
    JSON.stringify(target));
  // Long and rich in escapes: one pass, no byte beyond.
  for (const piece of ['%2e%2e%2f', '%25', '../', 'a/../', '%41']) {
    const answer = await get(edge, `/${piece.repeat(800)}`);
    assert.ok([200, 400, 404, 414, 431].includes(status(answer)), piece);
    assert.ok(!answer.includes(secret));
  }
});

test('attacks: guards decide on the form that is served', async (t) => {
  const root = temporaryFolder();
  mkdirSync(path.join(root, 'admin'));
  writeFileSync(path.join(root, 'admin/x.txt'), secret);
  writeFileSync(path.join(root, 'open.txt'), 'open');
  const app = await backend(t, (request, response) => response.end(`app ${request.url}`));
  const edge = await portero(t, `
sites:
  http://a.test:
    root: ${root}
    routes:
      - {match: /admin/*, deny: 0.0.0.0/0, files: true}
      - {match: {path_regexp: "^/admin"}, respond: 403}
      - {match: /app/*, deny: 0.0.0.0/0, proxy: "${app.address}"}
      - {match: /pass/*, proxy: "${app.address}"}
      - {files: true}
`);
  for (const target of ['/admin/x.txt', '/%61dmin/x.txt', '//admin/x.txt', '/./admin/x.txt',
    '/y/../admin/x.txt', '/y/%2e%2e/admin/x.txt', '/admin%2fx.txt', '/admin//x.txt',
    '///admin///x.txt',
    '/%2fadmin/x.txt', '/admin/./x.txt', '/%61%64%6d%69%6e/x.txt', '/admin/%78.txt',
      '/pass/../admin/x.txt',
    'http://a.test/admin/x.txt', '/admin/x.txt?open.txt', '/admin/x.txt%3f', '/admin/x.txt;a=b']) {
    const answer = await get(edge, target);
    assert.ok(!answer.includes(secret), target);
    assert.ok([400, 403, 404].includes(status(answer)), `${target}: ${status(answer)}`);
  }
  // What goes to an upstream means the same there: no dots, no double meaning.
  for (const target of ['/pass/../app/x', '/pass/%2e%2e/app/x', '/pass/..%2fapp/x', '//app/x',
    '/%61pp/x',     '/app%2f..%2fapp/x', '/pass/..;/app/x']) {
    const answer = await get(edge, target);
    assert.ok(!/app \/app|app \/\/app|app .*\.\.\/app/.test(answer), `${target}: ${answer}`);
  }
});

test('attacks: ranges and conditions', async (t) => {
  const root = temporaryFolder();
  writeFileSync(path.join(root, 'f.bin'), Buffer.alloc(100_000, 'x'));
  writeFileSync(path.join(root, 'small.txt'), '0123456789');
  const edge = await portero(t, `
sites:
  http://a.test: {root: "${root}", files: true}
`);
  const many = Array.from({ length: 1000 }, (_, i) => `${i}-${i + 50_000}`).join(',');
  for (const range of ['bytes=-9223372036854775808', 'bytes=-9223372036854775809',
    'bytes=0-18446744073709551615',
    'bytes=18446744073709551615-', 'bytes=18446744073709551616-', 'bytes=5-3', 'bytes=a-b',
      'bytes=--1', 'bytes=',
    'bytes=0-0,-9223372036854775808', `bytes=${many}`, `bytes=${'0-,'.repeat(1300)}0-`,
      'bytes=0-0x10', 'lines=1-2']) {
    const answer = await get(edge, '/f.bin', `Range: ${range}\r\n`);
    assert.ok([200, 206, 416, 431].includes(status(answer)), range.slice(0, 40));
    assert.ok(answer.length < 250_000, `${range.slice(0, 40)}: ${answer.length}`);
  }
  assert.match(await get(edge, '/small.txt', 'Range: bytes=-3\r\n'), /789$/);
});

test('attacks: PATH_INFO, uploads and fields that pass for others, at a real php-fpm',
  async (t) => {
  const php = await fpm(t, { tcp: false });
  const root = temporaryFolder();
  for (const folder of ['up', 'dir.php']) mkdirSync(path.join(root, folder));
  writeFileSync(path.join(root, 'index.php'),
    `<?php echo "index ", json_encode(["s" => $_SERVER["SCRIPT_FILENAME"], "h" => array_filter(
      $_SERVER, fn($name) => str_starts_with($name, "HTTP_"), ARRAY_FILTER_USE_KEY)]);`);
  writeFileSync(path.join(root, 'up/avatar.jpg'), '<?php echo "EXECUTED";');
  writeFileSync(path.join(root, 'up/x.php.jpg'), '<?php echo "EXECUTED";');
  writeFileSync(path.join(root, 'up/x.phtml'), '<?php echo "EXECUTED";');
  const edge = await portero(t, `
sites:
  http://a.test: {root: "${root}", php: "${php.address}"}
`);
  for (const target of ['/up/avatar.jpg/x.php', '/up/avatar.jpg/.php', '/up/avatar.jpg%00.php',
    '/up/avatar.jpg%0a.php',
    '/up/avatar.jpg;.php', '/up/avatar.jpg%20.php', '/up/avatar.jpg/index.php',
      '/up/avatar.jpg%2fx.php',
    '/up/x.php.jpg/', '/up/x.php.jpg', '/up/x.phtml', '/up/avatar.jpg/%2e%2e/avatar.jpg/x.php',
    '/up//avatar.jpg//x.php']) {
    const answer = await get(edge, target);
    assert.ok(!/\r\n\r\n(?:[0-9a-f]+\r\n)?EXECUTED/.test(answer), `${target}: ${answer}`);
  }
  for (const target of ['/index.php%0a/x', '/index.php%00/x', '/index.php/%0a', '/index.php%0d']) {
    assert.ok([400, 404].includes(status(await get(edge, target))), target);
  }
  // The script is found on the bytes as they are, whatever lower case would make of them.
  for (const target of ['/index.php/%c4%b0.php/x', '/%c4%b0.php/index.php', '/index.PHP',
    '/INDEX.php/a', '/dir.php/x']) {
    const answer = await get(edge, target);
    assert.ok([200, 301, 308, 404].includes(status(answer)), target);
    if (status(answer) === 200) assert.match(answer, /"s":"[^"]*index\.php"/i);
  }
  const forged = await get(edge, '/', ['Proxy: http://evil/', 'Remote_User: root',
    'Remote-User: root', 'X_Forwarded_For: 1.2.3.4',
    'X.Forwarded.For: 1.2.3.4', 'Content_Length: 5', 'Content.Type: x',
      'X-Forwarded-For: 6.6.6.6'].join('\r\n') + '\r\n');
  const body = forged.slice(forged.indexOf('index {') + 6).replace(/\r\n0\r\n\r\n$/, '');
  const { h } = JSON.parse(body.slice(0, body.lastIndexOf('}') + 1));
  assert.equal(h.HTTP_PROXY, undefined);
  assert.equal(h.HTTP_REMOTE_USER, 'root');  // REMOTE_USER itself is portero's
  for (const name of ['HTTP_CONTENT_LENGTH', 'HTTP_CONTENT_TYPE']) assert.equal(h[name],
    undefined, name);
  assert.ok(!JSON.stringify(h).includes('1.2.3.4'));

  // Half-closed chunked uploads leave no process and no descriptor behind.
  const half = Array.from({ length: 300 }, () => new Promise((resolve) => {
    const socket = net.connect(edge.httpPort, '127.0.0.1');
    socket.on('error', resolve);
    socket.on('close', resolve);
    socket.resume();
    socket.end('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel');
  }));
  await within('the half-closed', Promise.all(half), 30);
  assert.equal(status(await get(edge, '/')), 200);
  await waitFor('php to be free', async () =>
    (await edge.status()).upstreams.every((upstream) => upstream.in_flight === 0));
});
