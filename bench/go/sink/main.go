// Command sink is the Pub/Sub that every party of the benchmark publishes to: it answers Publish
// calls over gRPC with message ids, and counts messages. GET /count on its second address returns
// the numbers. It ends with its standard input.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
)

type publisher struct {
	pubsubpb.UnimplementedPublisherServer
	messages atomic.Int64
	calls    atomic.Int64
}

func (p *publisher) Publish(_ context.Context, request *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	n := int64(len(request.Messages))
	p.calls.Add(1)
	last := p.messages.Add(n)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = strconv.FormatInt(last-n+int64(i)+1, 10)
	}
	return &pubsubpb.PublishResponse{MessageIds: ids}, nil
}

func (p *publisher) GetTopic(_ context.Context, request *pubsubpb.GetTopicRequest) (*pubsubpb.Topic, error) {
	return &pubsubpb.Topic{Name: request.Topic}, nil
}

func main() {
	rpc, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	stats, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	p := &publisher{}
	http.HandleFunc("/count", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"messages":%d,"calls":%d}`, p.messages.Load(), p.calls.Load())
	})
	server := grpc.NewServer()
	pubsubpb.RegisterPublisherServer(server, p)
	fmt.Printf("%s %s\n", rpc.Addr(), stats.Addr())
	go func() { log.Fatal(http.Serve(stats, nil)) }()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(server.Serve(rpc))
}
