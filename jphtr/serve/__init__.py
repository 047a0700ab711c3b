"""The web page and the HTTP API: `jphtr serve`. Needs the extra `serve`."""
