import { describeObjectStore } from '../../../test/support/store-conformance.ts';
import { MemoryStore } from './memory-store.ts';

describeObjectStore('memory', () => new MemoryStore());
