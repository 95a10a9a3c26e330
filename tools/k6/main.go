// SPDX-License-Identifier: Apache-2.0

// k6, exactly as it is published, in the version that go.mod names.
package main

import "go.k6.io/k6/v2/cmd"

func main() { cmd.Execute() }
