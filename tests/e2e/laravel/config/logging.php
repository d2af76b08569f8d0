<?php
return ['default' => 'log', 'channels' => ['log' => ['driver' => 'errorlog', 'level' => 'debug']]];
