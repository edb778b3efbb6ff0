/**
 * A function whose module is loaded when it is first called. A command needs a few of the modules that there are, and to load
 * all of them takes longer than most commands do.
 * @param load imports the module, and gives the function that it exports
 */
export function lazy<Parameters extends unknown[], Result>(
  load: () => Promise<(...parameters: Parameters) => Promise<Result>>,
): (...parameters: Parameters) => Promise<Result> {
  return async (...parameters) => (await load())(...parameters);
}
