<?php
// Says which script runs and what is left of the path.
header('Content-Type: application/json');
$names = ['SCRIPT_NAME', 'SCRIPT_FILENAME', 'PATH_INFO', 'PATH_TRANSLATED', 'DOCUMENT_ROOT',
    'DOCUMENT_URI', 'REQUEST_URI', 'QUERY_STRING'];
$seen = [];
foreach ($names as $name) {
    $seen[$name] = $_SERVER[$name] ?? null;
}
echo json_encode($seen, JSON_UNESCAPED_SLASHES);
