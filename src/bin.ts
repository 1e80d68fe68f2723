#!/usr/bin/env node
// The executable of the built command: loads the program, which the build puts beside it, with the code cache.
import module from 'node:module';
import { fileURLToPath } from 'node:url';
import { openCodeCache } from './launch/code-cache.ts';
import { createLoader } from './launch/loader.ts';

// From Node 22.1 on: for the packages that are not part of the build.
(module as { enableCompileCache?: () => void }).enableCompileCache?.();
createLoader(openCodeCache())(fileURLToPath(new URL('program.js', import.meta.url)));
