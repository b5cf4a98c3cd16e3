package s3_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/s3"
)

// Files of crawls in a bucket of Cloudflare R2, read through its custom domain.
func Example() {
	files, err := s3.New(s3.Options{
		Endpoint:  "https://ACCOUNT.r2.cloudflarestorage.com",
		Bucket:    "llms",
		AccessKey: os.Getenv("S3_ACCESS_KEY"),
		SecretKey: os.Getenv("S3_SECRET_KEY"),
		PublicURL: "https://files.example.com",
	})
	if err != nil {
		log.Fatal(err) // a field is missing or wrong
	}
	defer files.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	switch err := files.Check(ctx); {
	case errors.Is(err, s3.ErrUnreachable):
		log.Print(err) // files are saved when it is back
	case err != nil:
		log.Fatal(err) // a wrong key, no such bucket
	}
	gw, err := farwire.New(farwire.Options{Storage: files})
	fmt.Println(gw, err)
}
