import { z } from 'zod';

/** Compiled schemas pay off after many documents, here there are five. It counts for schemas that are made from now on. */
z.config({ jitless: true });
