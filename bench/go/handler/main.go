// Command handler is the usual webhook handler in Go: functions-framework-go, the Standard Webhooks
// library, and the official Pub/Sub client, at its defaults or, with TUNED set, without its delay.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"context"
)

func main() {
	client, err := pubsub.NewClient(context.Background(), os.Getenv("GOOGLE_CLOUD_PROJECT"))
	if err != nil {
		log.Fatal(err)
	}
	topic := client.Publisher(os.Getenv("INGRESS_TOPIC"))
	if os.Getenv("TUNED") != "" {
		// The best settings found: a short wait, and batches no larger than a burst.
		topic.PublishSettings.DelayThreshold = time.Millisecond
		topic.PublishSettings.CountThreshold = 32
	}
	webhook, err := standardwebhooks.NewWebhook(os.Getenv("WEBHOOK_SIGNING_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	functions.HTTP("receive", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "cannot read", http.StatusBadRequest)
			return
		}
		if err := webhook.Verify(body, r.Header); err != nil {
			http.Error(w, "refused", http.StatusUnauthorized)
			return
		}
		message := &pubsub.Message{Data: body, Attributes: map[string]string{"webhook-id": r.Header.Get("webhook-id")}}
		if _, err := topic.Publish(r.Context(), message).Get(r.Context()); err != nil {
			http.Error(w, "not stored", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"status":"received"}`)
	})
	os.Setenv("FUNCTION_TARGET", "receive")
	if err := funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT")); err != nil {
		log.Fatal(err)
	}
}
