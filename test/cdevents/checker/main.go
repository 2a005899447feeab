// Checks CloudEvents that carry CDEvents against the schemas that the CDEvents project publishes, by means of its own SDK.
// Standard input: a JSON array of CloudEvents in structured form. Standard output: a JSON array of what is wrong with them.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	cdevents "github.com/cdevents/sdk-go/pkg/api"
	v05 "github.com/cdevents/sdk-go/pkg/api/v05"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	packageurl "github.com/package-url/packageurl-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func main() {
	var events []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&events); err != nil {
		fail(err)
	}
	compiler, err := newCompiler()
	if err != nil {
		fail(err)
	}
	problems := []string{}
	for _, event := range events {
		id, err := check(compiler, event)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s", id, err))
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(problems); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// The SDK's own compiler takes formats for comments.
func newCompiler() (*jsonschema.Compiler, error) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.AssertContent()
	for id, text := range cdevents.SchemasById {
		schema, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			return nil, err
		}
		if err := compiler.AddResource(id, schema); err != nil {
			return nil, err
		}
	}
	return compiler, nil
}

func check(compiler *jsonschema.Compiler, raw []byte) (string, error) {
	var envelope cloudevents.Event
	if err := json.Unmarshal(raw, &envelope); err != nil {
		return "unreadable", err
	}
	name := envelope.ID() + " " + envelope.Type()
	if err := envelope.Validate(); err != nil {
		return name, err
	}
	var event map[string]any
	if err := envelope.DataAs(&event); err != nil {
		return name, err
	}
	if err := checkArtifactId(event); err != nil {
		return name, err
	}
	if !strings.HasPrefix(envelope.Type(), "dev.cdevents.") {
		return name, checkOwn(compiler, envelope.Type(), event)
	}
	return name, checkShared(compiler, envelope.Data(), event)
}

// The SDK reads it as one of its consumers would; what the SDK's types have no field for only the schema sees.
func checkShared(compiler *jsonschema.Compiler, data []byte, value map[string]any) error {
	event, err := v05.NewFromJsonBytes(data)
	if err != nil {
		return err
	}
	id, _, err := event.GetSchema()
	if err != nil {
		return err
	}
	return validate(compiler, id, value)
}

// Where there is one. The SDK's own validation asks for one in every incident, which the specification does not.
func checkArtifactId(event map[string]any) error {
	subject, _ := event["subject"].(map[string]any)
	content, _ := subject["content"].(map[string]any)
	id, ok := content["artifactId"].(string)
	if !ok {
		return nil
	}
	_, err := packageurl.FromString(id)
	return err
}

// CDEvents has one schema for all types that are not its own, and reserves the prefix dev.cdeventsx for them. Under
// that prefix, everything else must be as the schema says.
func checkOwn(compiler *jsonschema.Compiler, name string, event map[string]any) error {
	context, ok := event["context"].(map[string]any)
	if !ok {
		return fmt.Errorf("context: expected an object, found %v", event["context"])
	}
	parts := strings.SplitN(name, ".", 4)
	if len(parts) != 4 || parts[0] != "dev" {
		return fmt.Errorf("type: expected dev.TOOL.SUBJECT.PREDICATE.VERSION, found %s", name)
	}
	context["type"] = fmt.Sprintf("dev.cdeventsx.%s-%s.%s", parts[1], parts[2], parts[3])
	return validate(compiler, "https://cdevents.dev/"+v05.SpecVersion+"/schema/custom", event)
}

func validate(compiler *jsonschema.Compiler, id string, value any) error {
	schema, err := compiler.Compile(id)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
