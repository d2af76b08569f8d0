<?php
// The front controller of a small application: forms, uploads, downloads, sessions, redirects, long
// answers, errors and streams, each under a path of its own.

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);

function json($value): void
{
    header('Content-Type: application/json');
    echo json_encode($value, JSON_UNESCAPED_SLASHES);
}

function digest_of_input(): string
{
    $hash = hash_init('sha256');
    $input = fopen('php://input', 'rb');
    while (!feof($input)) {
        hash_update($hash, fread($input, 65536));
    }
    return hash_final($hash);
}

function stream_of_events(int $count): void
{
    header('Content-Type: text/event-stream');
    for ($i = 1; $i <= $count; $i++) {
        echo "data: $i\n\n";
        @ob_flush();
        flush();
        usleep(200000);
    }
}

function long_answer(int $bytes): void
{
    $line = str_repeat('0123456789abcdef', 512);
    for (; $bytes > 0; $bytes -= strlen($line)) {
        echo substr($line, 0, $bytes);
    }
}

switch ($path) {
    case '/form':
        json(['method' => $_SERVER['REQUEST_METHOD'], 'get' => $_GET, 'post' => $_POST]);
        break;
    case '/upload':
        $files = array_map(fn ($file) => [
            'name' => $file['name'],
            'size' => $file['size'],
            'sha256' => $file['error'] === 0 ? hash_file('sha256', $file['tmp_name']) : null,
        ], $_FILES);
        json(['files' => $files, 'post' => $_POST]);
        break;
    case '/raw':
        json([
            'length' => $_SERVER['CONTENT_LENGTH'] ?? null,
            'type' => $_SERVER['CONTENT_TYPE'] ?? null,
            'sha256' => digest_of_input(),
        ]);
        break;
    case '/server':
        json($_SERVER);
        break;
    case '/session':
        session_start();
        json(['count' => $_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1]);
        break;
    case '/redirect':
        header('Location: /target');
        break;
    case '/created':
        http_response_code(201);
        header('Location: /target');
        break;
    case '/empty':
        http_response_code(204);
        break;
    case '/long':
        long_answer((int) $_GET['bytes']);
        break;
    case '/sized':
        header('Content-Length: ' . (int) $_GET['says']);
        long_answer((int) $_GET['bytes']);
        break;
    case '/sleep':
        usleep(1000 * (int) $_GET['ms']);
        echo 'slept';
        break;
    case '/fatal':
        not_a_function();
        break;
    case '/warn':
        error_log("first line\nsecond line");
        echo 'warned';
        break;
    case '/events':
        stream_of_events((int) ($_GET['count'] ?? 3));
        break;
    case '/ticks':
        header('X-Accel-Buffering: no');
        echo 'one';
        @ob_flush();
        flush();
        usleep(400000);
        echo 'two';
        break;
    case '/big-header':
        for ($i = 0; $i < 90; $i++) {
            header("X-Big-$i: " . str_repeat('x', (int) $_GET['each']));
        }
        echo 'big';
        break;
    case '/sendfile':
        header('Content-Type: text/x-private');
        header("{$_GET['with']}: {$_GET['file']}");
        echo 'this is not sent';
        break;
    case '/pid':
        echo getmypid();
        break;
    case '/append':
        // One line for each time that the request was run.
        file_put_contents($_GET['to'], "{$_GET['id']}\n", FILE_APPEND | LOCK_EX);
        usleep(1000 * (int) ($_GET['ms'] ?? 0));
        echo $_GET['id'];
        break;
    default:
        http_response_code($path === '/' ? 200 : 404);
        echo "front controller saw {$_SERVER['REQUEST_METHOD']} {$_SERVER['REQUEST_URI']}";
}
