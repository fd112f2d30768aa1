#!/bin/sh
# Writes src/onnx/generated/ from src/onnx/onnx.proto (ONNX 1.23). erasable_syntax turns enums into plain objects, which
# erasableSyntaxOnly asks for.
set -eu
cd "$(dirname "$0")/.."
npx --no-install buf generate src/onnx --template '{
  "version": "v2",
  "clean": true,
  "plugins": [{
    "local": "node_modules/.bin/protoc-gen-es",
    "out": "src/onnx/generated",
    "opt": ["target=ts", "import_extension=ts", "erasable_syntax=true"]
  }]
}'
