export { createGitSource, type GitSourceOptions } from './git-source.ts';
