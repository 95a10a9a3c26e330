// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Names the program of grpc-go that tests/system/test_grpc_interop.py builds, so that go.mod pins
// its version. It is never compiled itself.
package interop

import _ "google.golang.org/grpc/interop/client"
