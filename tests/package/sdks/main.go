// Makes the SDKs of a schema with Pulumi's own generators, as `pulumi package add` does through its language hosts.
// Usage: sdks schema.json folder
package main

import (
	"encoding/json"
	"log"
	"os"
	"path/filepath"

	gogen "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/python"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	spec := schema.PackageSpec{}
	if err := json.Unmarshal(must(os.ReadFile(os.Args[1])), &spec); err != nil {
		log.Fatal(err)
	}
	bind := func() *schema.Package {
		pkg, diagnostics, err := schema.BindSpec(spec, schema.NewNullLoader(), schema.ValidationOptions{})
		if err != nil || diagnostics.HasErrors() {
			log.Fatal(diagnostics, err)
		}
		return pkg
	}
	made := map[string]map[string][]byte{
		"python": must(python.GeneratePackage("gatehouse", bind(), nil, nil)),
		"nodejs": must(nodejs.GeneratePackage("gatehouse", bind(), nil, nil, false, nil)),
		"go":     must(gogen.GeneratePackage("gatehouse", bind(), nil)),
	}
	for language, files := range made {
		for name, content := range files {
			path := filepath.Join(os.Args[2], language, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				log.Fatal(err)
			}
			if err := os.WriteFile(path, content, 0o644); err != nil {
				log.Fatal(err)
			}
		}
	}
}
