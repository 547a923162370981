// Lets a program of this folder import the libraries by their names, though they lie elsewhere: scripts/clients.sh puts
// this file beside them.

import { registerHooks } from "node:module";

const isLibrary = (specifier) => /^[@a-z]/.test(specifier) && !specifier.includes(":");

registerHooks({
  resolve(specifier, context, next) {
    const isOurs = !context.parentURL?.includes("/node_modules/");
    return next(specifier, isOurs && isLibrary(specifier) ? { ...context, parentURL: import.meta.url } : context);
  },
});
