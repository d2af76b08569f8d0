<?php
echo 'index of dir';
