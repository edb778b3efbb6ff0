export { createFilesSource, type FilesSourceOptions } from './files-source.ts';
