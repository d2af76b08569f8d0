<?php
// A small application that uses the hub as Laravel does: it authorises channels and publishes to
// the loopback listener over plain HTTP, signed.
declare(strict_types=1);

function authorise(string $socketId, string $channel): string
{
    $signature = hash_hmac('sha256', "$socketId:$channel", getenv('REVERB_APP_SECRET'));
    return json_encode(['auth' => getenv('REVERB_APP_KEY') . ":$signature"]);
}

function publish(string $channel, string $event, array $data): int
{
    $body = json_encode(['name' => $event, 'channels' => [$channel], 'data' => json_encode($data)]);
    $path = '/apps/' . getenv('REVERB_APP_ID') . '/events';
    $query = http_build_query([
        'auth_key' => getenv('REVERB_APP_KEY'),
        'auth_timestamp' => time(),
        'auth_version' => '1.0',
        'body_md5' => md5($body),
    ]);
    $signature = hash_hmac('sha256', "POST\n$path\n$query", getenv('REVERB_APP_SECRET'));
    $address = 'http://' . getenv('REVERB_HOST') . ':' . getenv('REVERB_PORT');
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => 'Content-Type: application/json',
        'content' => $body,
        'ignore_errors' => true,
        'timeout' => 5,
    ]]);
    file_get_contents("$address$path?$query&auth_signature=$signature", false, $context);
    return (int) explode(' ', $http_response_header[0])[1];
}

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/broadcasting/auth') {
    header('Content-Type: application/json');
    echo authorise($_POST['socket_id'], $_POST['channel_name']);
} elseif ($path === '/orders') {
    $order = ['id' => 7, 'by' => $_SERVER['HTTP_X_FORWARDED_FOR'] ?? ''];
    $status = publish('private-orders', 'App\\Events\\OrderPlaced', $order);
    http_response_code($status === 200 ? 201 : 500);
    echo "published: $status";
} else {
    header('Content-Type: text/plain');
    echo "PHP saw $_SERVER[REQUEST_METHOD] $_SERVER[REQUEST_URI] for $_SERVER[HTTP_HOST]";
}
