// Command git-server serves the bare repositories of a folder over HTTP, by git's own http-backend: everybody reads, and
// who has the password pushes.
//
//	git-server ADDRESS FOLDER   the password of the user "git" is in the environment, GIT_PASSWORD
package main

import (
	"crypto/subtle"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const user = "git"

func main() {
	if len(os.Args) != 3 || os.Getenv("GIT_PASSWORD") == "" {
		log.Fatal("usage: GIT_PASSWORD=… git-server ADDRESS FOLDER")
	}
	backend, err := backend(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: os.Args[1], Handler: guarded(backend, os.Getenv("GIT_PASSWORD")), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// backend is git's program for the folder; it takes pushes of whom the server has named.
func backend(folder string) (*cgi.Handler, error) {
	root, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	programs, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return nil, err
	}
	return &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(programs)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"},
	}, nil
}

// guarded asks whoever pushes for the password. The backend is told who it was, and refuses pushes of nobody.
func guarded(backend *cgi.Handler, password string) http.Handler {
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		handler := *backend
		if name, given, ok := request.BasicAuth(); ok && name == user && same(given, password) {
			handler.Env = append(append([]string{}, handler.Env...), "REMOTE_USER="+user)
		} else if ok || isPush(request) {
			answer.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(answer, "user git and the password are needed", http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(answer, request)
	})
}

func isPush(request *http.Request) bool {
	return strings.HasSuffix(request.URL.Path, "/git-receive-pack") || request.URL.Query().Get("service") == "git-receive-pack"
}

func same(given, wanted string) bool { return subtle.ConstantTimeCompare([]byte(given), []byte(wanted)) == 1 }
