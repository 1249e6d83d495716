// A command line around the Go SDK's client, for the tests.
//
//	client URL TOKEN list | call TOOL JSON | cancel TOOL JSON
//
// Prints the result as JSON. call also prints the progress messages; cancel ends the call once its first one is there
// and standard input has ended. An error ends it with exit code 1.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type authorized struct{ token string }

func (a authorized) RoundTrip(request *http.Request) (*http.Response, error) {
	if a.token != "" {
		request = request.Clone(request.Context())
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	return http.DefaultTransport.RoundTrip(request)
}

func main() {
	result, err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(url, token, command string, call []string) (any, error) {
	ctx := context.Background()
	messages := make(chan string, 100)
	options := &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, request *mcp.ProgressNotificationClientRequest) {
			messages <- request.Params.Message
		},
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "routing-tests", Version: "0"}, options)
	transport := &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: authorized{token}}}
	session, err := client.Connect(ctx, transport, nil)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	switch command {
	case "list":
		return list(ctx, session)
	case "call":
		return answered(ctx, session, call, messages)
	case "cancel":
		return cancelled(ctx, session, call, messages)
	}
	return nil, fmt.Errorf("%s: is no command", command)
}

func list(ctx context.Context, session *mcp.ClientSession) (any, error) {
	listed, err := session.ListTools(ctx, nil)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, tool := range listed.Tools {
		names = append(names, tool.Name)
	}
	return names, nil
}

func callTool(ctx context.Context, session *mcp.ClientSession, call []string) (*mcp.CallToolResult, error) {
	params := &mcp.CallToolParams{Name: call[0], Arguments: json.RawMessage(call[1])}
	params.SetProgressToken("progress")
	return session.CallTool(ctx, params)
}

func answered(ctx context.Context, session *mcp.ClientSession, call []string, messages chan string) (any, error) {
	result, err := callTool(ctx, session, call)
	if err != nil {
		return nil, err
	}
	progress := []string{}
	for len(messages) > 0 {
		progress = append(progress, <-messages)
	}
	return map[string]any{"isError": result.IsError, "content": result.Content, "progress": progress}, nil
}

func cancelled(ctx context.Context, session *mcp.ClientSession, call []string, messages chan string) (any, error) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		<-messages
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	result, err := callTool(ctx, session, call)
	if err != nil {
		return map[string]any{"cancelled": err.Error()}, nil
	}
	return map[string]any{"answered": result}, nil
}
